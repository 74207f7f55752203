"""Frames of videos: the sharpest of each interval, upright, resumable; videos made by OpenCV."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.cli.main import main
from hloc_lite.errors import FormatError
from hloc_lite.formats import video as video_module
from hloc_lite.formats.video import STATE_FILE, VideoFrames, extract_frames, frame_name, video_size
from hloc_lite.io.unread_formats import VIDEO_REMEDY

cv2 = pytest.importorskip("cv2")
WIDTH, HEIGHT, FPS = 96, 64, 10
SHARP = (3, 6, 14, 15, 22)
"""Frames that are not blurred: two in the second half second, one in the last."""


def picture(number: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (16, 24, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    sharp = number in SHARP
    return pixels if sharp else cv2.GaussianBlur(pixels, (0, 0), 3 + 0.1 * number)


def write_video(path: Path, codec: str = "mp4v", count: int = 25) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), float(FPS), (WIDTH, HEIGHT))
    if not writer.isOpened():
        pytest.skip(f"OpenCV has no encoder for {codec}")
    for number in range(count):
        writer.write(picture(number))
    writer.release()
    return path


@pytest.fixture(params=[("mp4v", "v.mp4"), ("MJPG", "v.avi")], ids=["mp4v", "MJPG"])
def movie(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    codec, name = request.param
    return write_video(tmp_path / name, codec)


def test_the_sharpest_frame_of_each_interval_is_kept(movie: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = extract_frames(
        movie, tmp_path / "o", progress=lambda read, stated: seen.append((read, stated))
    )
    assert (found.num_read, found.num_stated, found.is_cut_off) == (25, 25, False)
    numbers = [int(name[6:12]) for name in found.names]
    # half seconds 0-4, 5-9, 10-14, 15-19, 20-24
    assert numbers == [3, 6, 14, 15, 22]
    assert seen[-1] == (25, 25) and seen == sorted(seen)
    with Image.open(tmp_path / "o" / frame_name(3)) as image:
        assert image.size == (WIDTH, HEIGHT) and image.format == "JPEG"
        error = np.abs(np.asarray(image, float) - picture(3)[:, :, ::-1])
    assert np.median(error) < 20


def test_rates_above_the_videos_keep_all_frames(movie: Path, tmp_path: Path) -> None:
    assert len(extract_frames(movie, tmp_path / "o", fps=100).names) == 25
    assert len(extract_frames(movie, tmp_path / "p", fps=0.1).names) == 1
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(FormatError, match="expected a positive number"):
            extract_frames(movie, tmp_path / "q", fps=wrong)


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_an_interrupted_extraction_is_resumed(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    movie = write_video(tmp_path / "v.avi", "MJPG")
    write_jpeg = video_module._write_jpeg
    written: list[str] = []

    def stopping(path: Path, pixels: np.ndarray) -> None:
        if len(written) == stop:
            raise KeyboardInterrupt
        written.append(path.name)
        write_jpeg(path, pixels)

    monkeypatch.setattr(video_module, "_write_jpeg", stopping)
    with pytest.raises(KeyboardInterrupt):
        extract_frames(movie, tmp_path / "o")
    assert len(written) == stop
    state = json.loads((tmp_path / "o" / STATE_FILE).read_text())
    assert not state["is_complete"]
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "o").glob("*.jpg")}
    monkeypatch.setattr(video_module, "_write_jpeg", write_jpeg)
    resumed = extract_frames(movie, tmp_path / "o")
    assert resumed == extract_frames(movie, tmp_path / "p")
    assert len(before) == stop
    for name, time in before.items():
        assert (tmp_path / "o" / name).stat().st_mtime_ns == time, "written again"
    for name in resumed.names:
        assert (tmp_path / "o" / name).read_bytes() == (tmp_path / "p" / name).read_bytes()
    # a third run decodes nothing
    monkeypatch.setattr(video_module, "_sharpest", None)
    assert extract_frames(movie, tmp_path / "o") == resumed


def test_frames_of_other_videos_are_not_mixed(movie: Path, tmp_path: Path) -> None:
    extract_frames(movie, tmp_path / "o")
    with pytest.raises(FormatError, match=rf"other frames of {movie.name} at 2.0 a second"):
        extract_frames(movie, tmp_path / "o", fps=3)
    (tmp_path / "o" / STATE_FILE).write_text("damaged")
    with pytest.raises(FormatError, match="already has other frames: choose another folder"):
        extract_frames(movie, tmp_path / "o")


def turned(data: bytes, matrix: tuple[int, ...]) -> bytes:
    """MP4 file with another matrix in the header of its track."""
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    start = data.index(identity, data.index(b"tkhd"))
    return data[:start] + struct.pack(">9i", *matrix) + data[start + len(identity) :]


def test_rotation_is_obeyed(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "v.mp4")
    matrix = (0, 65536, 0, -65536, 0, 0, HEIGHT << 16, 0, 1 << 30)  # 90 degrees clockwise
    (tmp_path / "t.mp4").write_bytes(turned(plain.read_bytes(), matrix))
    assert video_size(plain) == (WIDTH, HEIGHT)
    assert video_size(tmp_path / "t.mp4") == (HEIGHT, WIDTH)
    extract_frames(plain, tmp_path / "o")
    extract_frames(tmp_path / "t.mp4", tmp_path / "p")
    flat, upright = (np.asarray(Image.open(tmp_path / f / frame_name(3)), float) for f in "op")
    assert upright.shape == (WIDTH, HEIGHT, 3)
    assert np.abs(np.rot90(flat, -1) - upright).mean() < 5
    assert np.abs(np.rot90(flat, 1) - upright).mean() > 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no video: it is empty or text"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is no video"),
        (b"\0\0\0\x18ftypisom" + bytes(3000), "cannot be decoded"),
        (bytes(range(256)) * 20, "cannot be decoded"),
    ],
)
def test_files_that_are_no_videos(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        extract_frames(tmp_path / "v.mp4", tmp_path / "o")
    assert not list(tmp_path.glob("o/*.jpg"))
    with pytest.raises(FormatError, match="cannot read"):
        extract_frames(tmp_path / "missing.mp4", tmp_path / "o")


def test_large_frames_are_refused(
    movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_module, "MAX_MEGAPIXELS", 0.001)
    with pytest.raises(FormatError, match=r"96 x 64 pixels; at most 0.001"):
        extract_frames(movie, tmp_path / "o")


def test_damaged_videos_give_frames_or_an_error(tmp_path: Path) -> None:
    data = write_video(tmp_path / "v.avi", "MJPG").read_bytes()
    rng = random.Random(3)
    for number in range(20):
        damaged = bytearray(data)
        for _ in range(20):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path = tmp_path / "d.avi"
        path.write_bytes(bytes(damaged) if number % 2 else data[: rng.randrange(len(data))])
        try:
            found = extract_frames(path, tmp_path / f"o{number}")
        except FormatError:
            continue
        assert found.names


def test_videos_that_were_cut_off() -> None:
    assert VideoFrames((), 90, 100).is_cut_off
    assert not VideoFrames((), 97, 100).is_cut_off and not VideoFrames((), 9, 0).is_cut_off


def test_a_path_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    """OpenCV would end the process."""
    folder = tmp_path / "\udcff"
    try:
        folder.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system has Unicode names only")
    video = write_video(tmp_path / "v.avi", "MJPG").rename(folder / "v.avi")
    with pytest.raises(FormatError, match="not UTF-8: rename"):
        extract_frames(video, tmp_path / "frames")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    movie = write_video(tmp_path / "v.avi", "MJPG")
    command = ["video", str(movie), "-o", str(tmp_path / "IMAGES"), "--fps", "1"]
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 0
        assert "IMAGES: 3 photos of 25 frames" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["video", str(tmp_path), "-o", str(tmp_path / "o")])
    assert stop.value.code == 2 and "cannot read" in capsys.readouterr().err
    assert "hloc-lite video" in VIDEO_REMEDY
