"""Encodings of descriptors: exactness, sizes, and refused shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import ShapeError
from hloc_lite.maps.quantization import (
    Coding,
    ProductCodes,
    from_bits,
    row_bytes,
    to_bits,
    to_int8,
    to_product_codes,
)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 200))
def test_int8_is_exact_to_half_a_step(seed: int, dim: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((9, dim)) ** 3
    rows[0] = 0
    largest = np.abs(rows).max(axis=1, keepdims=True)
    found = to_int8(rows)
    assert found.dtype == np.int8 and (np.abs(found).max(axis=1)[1:] == 127).all()
    assert (np.abs(found * (largest / 127) - rows) <= largest / 254 + 1e-9).all()


def test_product_codes_of_few_rows_are_nearly_exact() -> None:
    rows = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    codes = to_product_codes(rows)
    assert codes.shape == (200, 8) and len(codes) == 200 and codes.codes.shape == (200, 2)
    assert np.abs(codes[np.array([5, 199])] - rows[[5, 199]]).max() < 0.25
    assert np.abs(codes[:] - rows).mean() < 0.02
    assert np.array_equal(to_product_codes(rows).codes, codes.codes)
    assert row_bytes(Coding.PQ, 8) == 2
    with pytest.raises(ShapeError, match="use int8"):
        to_product_codes(rows[:, :6])
    with pytest.raises(ShapeError, match="codebooks"):
        ProductCodes(codes.codes, codes.codebooks[:, :5])


def test_bits_are_signs() -> None:
    rows = np.array([[0.5, -0.5, 1, -1, 2, -2, 3, -3, 0.1]])
    bits = to_bits(rows)
    assert bits.shape == (1, row_bytes(Coding.BITS, 9)) == (1, 2)
    assert np.array_equal(from_bits(bits, 9), np.sign(rows))
