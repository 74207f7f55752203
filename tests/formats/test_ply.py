"""PLY: round trips, files of other programs by hand, meshes, damaged files."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.formats.ply import PlyFile, write_ply
from hloc_lite.types import Surface


def surface(seed: int, count: int, *, normals: bool = True, faces: bool = False) -> Surface:
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Surface(
        rng.normal(size=(count, 3)) * 10,
        rng.integers(0, 256, (count, 3)),
        directions if normals else None,
        None,
        rng.integers(0, count, (count // 2 + 1, 3)) if faces else None,
    )


@settings(max_examples=25)
@given(
    st.integers(0, 999), st.integers(1, 40), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_round_trip(seed: int, count: int, text: bool, normals: bool, faces: bool) -> None:
    first = surface(seed, count, normals=normals, faces=faces)
    second = surface(seed + 1, count, normals=normals, faces=faces)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ply"
        assert write_ply(path, [first, second], ascii_text=text) == 2 * count
        file = PlyFile.open(path)
        (block,) = file.blocks()
        np.testing.assert_array_equal(
            block.xyz.astype(np.float32), np.vstack([first.xyz, second.xyz])
        )
        np.testing.assert_array_equal(block.rgb, np.vstack([first.rgb, second.rgb]))
        if normals:
            expected = np.vstack([first.normals, second.normals])  # type: ignore[list-item]
            np.testing.assert_allclose(block.normals, expected, atol=1e-6)  # type: ignore[arg-type]
        else:
            assert block.normals is None
        assert file.has_faces == faces
        if faces:
            expected = np.vstack([first.triangles, second.triangles + count])  # type: ignore[operator, list-item]
            np.testing.assert_array_equal(file.read_mesh().triangles, expected)  # type: ignore[arg-type]


def test_big_endian_double_and_float_colours(tmp_path: Path) -> None:
    header = (
        "ply\nformat binary_big_endian 1.0\ncomment by hand\nobj_info x\nelement camera 1\n"
        "property float f\nelement vertex 2\nproperty double x\nproperty double y\n"
        "property double z\nproperty float red\nproperty float green\nproperty float blue\n"
        "property ushort quality\nend_header\n"
    )
    rows = [(1.5, -2.0, 3e5, 0.0, 0.5, 1.0, 7), (float("nan"), 0, 0, 1, 1, 1, 8)]
    data = struct.pack(">f", 9) + b"".join(struct.pack(">dddfffH", *row) for row in rows)
    path = tmp_path / "a.ply"
    path.write_bytes(header.encode() + data)
    (block,) = PlyFile.open(path).blocks()
    assert block.xyz.tolist() == [[1.5, -2.0, 3e5]]  # the point without coordinates is left out
    assert block.rgb is not None and block.rgb.tolist() == [[0, 128, 255]]


QUAD = (
    "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
    "property float z\nelement face 2\nproperty uchar flag\nproperty list uchar int vertex_index\n"
    "end_header\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n9 4 0 1 2 3\n9 3 0 1 2\n"
)


def test_polygons_become_triangles(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    path.write_text(QUAD)
    mesh = PlyFile.open(path).read_mesh()
    assert mesh.triangles is not None
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert (mesh.rgb == 128).all()


def test_polygons_of_a_binary_file(tmp_path: Path) -> None:
    head = QUAD[: QUAD.index("0 0 0\n")].replace("ascii", "binary_little_endian")
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4").tobytes()
    faces = struct.pack("<BB4i", 9, 4, 0, 1, 2, 3) + struct.pack("<BB3i", 9, 3, 0, 1, 2)
    path = tmp_path / "a.ply"
    path.write_bytes(head.encode() + corners + faces)
    mesh = PlyFile.open(path).read_mesh()
    assert mesh.triangles is not None
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ply\n", "plx\n", "no PLY file"),
        ("ascii", "binary_middle", "format 'binary_middle'"),
        ("vertex 4", "vertex 4000000000", "its header promises"),
        ("vertex 4", "vertex 99999999999999", "element N COUNT"),
        ("vertex 4", "vertex -4", "element N COUNT"),
        ("float z", "float w", "no vertices with x, y and z"),
        ("float z", "quad z", "unknown property"),
        ("end_header\n", "", "unknown header line"),
        ("1 1 0\n", "1 one 0\n", "vertex row is damaged"),
        ("9 3 0 1 2\n", "9 3 0 1 4\n", "names vertex 4"),
        ("9 3 0 1 2\n", f"9 3 0 1 {2**60}\n", "names vertex 1152921504606846976"),
        ("9 3 0 1 2\n", "9 3 0\n", "ends within a face"),
        ("9 4 0 1 2 3\n", "9 2 0 1 2 3\n", "2 corners"),
        ("vertex_index", "neighbours", "no list of vertices"),
        ("1 1 0\n", "1 nan 0\n", "face has vertex 2, whose coordinates are not finite"),
        ("1 1 0\n", "1 1e300 0\n", "farther than|not finite"),
        ("9 3 0 1 2\n", "9 3 0 1 2\n9 3 0 1 3\n", "goes on after the 2 rows of face"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.ply"
    path.write_text(QUAD.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        PlyFile.open(path).read_mesh()


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=6))
def test_any_change_reads_or_is_refused(position: int, noise: bytes) -> None:
    data = bytearray(QUAD.encode())
    start = position % len(data)
    data[start : start + len(noise)] = noise
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ply"
        path.write_bytes(bytes(data))
        with suppress(HlocLiteError):
            PlyFile.open(path).read_mesh()


@pytest.mark.parametrize("text", [False, True])
def test_rows_that_the_header_does_not_count_are_refused(tmp_path: Path, text: bool) -> None:
    path = tmp_path / "a.ply"
    write_ply(path, [surface(0, 50)], ascii_text=text)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\n")  # editors add such an end
    assert sum(map(len, PlyFile.open(path).blocks())) == 50
    path.write_bytes(whole[:-60] + whole[-90:])
    with pytest.raises(FormatError, match=r"goes on after the 50 rows of vertex|damaged"):
        list(PlyFile.open(path).blocks())


def test_vertices_of_no_face_need_no_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    path.write_text(QUAD.replace("vertex 4", "vertex 5").replace("0 1 0\n", "0 1 0\nnan nan nan\n"))
    mesh = PlyFile.open(path).read_mesh()
    assert np.isfinite(mesh.xyz).all() and len(mesh) == 5


def test_a_truncated_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_ply(path, [surface(0, 50)])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FormatError, match="damaged"):
        list(PlyFile.open(path).blocks())


def test_points_are_no_mesh_and_nothing_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_ply(path, [surface(0, 5)])
    with pytest.raises(FormatError, match="not a mesh"):
        PlyFile.open(path).read_mesh()
    with pytest.raises(FormatError, match="no points"):
        write_ply(tmp_path / "b.ply", [])
    with pytest.raises(FormatError, match="does not exist"):
        PlyFile.open(tmp_path / "c.ply")


def test_open3d_reads_what_is_written(tmp_path: Path) -> None:
    o3d = pytest.importorskip("open3d")
    expected = surface(3, 30, faces=True)
    path = tmp_path / "a.ply"
    write_ply(path, [expected])
    mesh = o3d.io.read_triangle_mesh(str(path))
    np.testing.assert_allclose(np.asarray(mesh.vertices), expected.xyz, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(mesh.vertex_colors) * 255, expected.rgb, atol=0.5)
    other = tmp_path / "b.ply"
    o3d.io.write_triangle_mesh(str(other), mesh)
    again = PlyFile.open(other).read_mesh()
    np.testing.assert_allclose(again.xyz, expected.xyz, rtol=1e-6)
    np.testing.assert_array_equal(again.rgb, expected.rgb)
    np.testing.assert_array_equal(again.triangles, expected.triangles)  # type: ignore[arg-type]
