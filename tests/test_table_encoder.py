"""Tables in any container, to scaled numbers, indicators of what is missing, and codes."""

import datetime
import pickle
import warnings
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_crl._table_columns import is_table
from sk_crl._table_encoder import TableEncoder

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

few = settings(derandomize=True, deadline=None, max_examples=25)


# ------------------------------------------------------------------------------------------ twins


def quantile(values, share):
    """The value below which a share of the values lies, between neighbours in proportion."""
    values = sorted(values)
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])


def naively_scaled(train, values):
    """RealMLP's robust scaling and smooth clipping of a column, None where a value is missing."""
    known = [x for x in train if x is not None]
    if not known:
        return [0.0] * len(values)
    median = quantile(known, 0.5)
    width = quantile(known, 0.75) - quantile(known, 0.25)
    if width == 0:
        width = 0.5 * (max(known) - min(known))
    if width == 0:
        return [0.0] * len(values)
    scaled = [0.0 if x is None else (x - median) / width for x in values]
    return [z / sqrt(1 + (z / 3) ** 2) for z in scaled]


def naively_coded(train, values, min_frequency, max_categories):
    """Codes 1, 2, ... of the categories that are frequent enough, 0 for all others."""
    counts = {x: train.count(x) for x in sorted({x for x in train if x is not None})}
    frequent = [x for x in counts if counts[x] >= min_frequency]
    most = sorted(frequent, key=lambda x: (-counts[x], x))[: max_categories - 1]
    code = {x: place for place, x in enumerate(sorted(most), start=1)}
    return [code.get(x, 0) for x in values]


# ------------------------------------------------------------------------------------- containers

NUMBERS = st.one_of(st.none(), st.integers(-50, 50).map(lambda x: x / 4))
WORDS = st.sampled_from([None, "a", "b", "c", "d", "Å"])
WHOLE = st.sampled_from([None, 0, 1, 2, 7])
TRUTHS = st.sampled_from([None, True, False])


@st.composite
def tables(draw, min_rows=1):
    """Rows of a number, a word, a whole number, and True or False, any of them missing."""
    row = st.tuples(NUMBERS, WORDS, WHOLE, TRUTHS)
    return draw(st.lists(row, min_size=min_rows, max_size=12))


def objects(rows):
    array = np.empty((len(rows), 4), dtype=object)
    for place, row in enumerate(rows):
        array[place] = row
    return array


def pandas_frame(rows, types):
    columns = zip(*rows, strict=True)
    return pd.DataFrame({
        name: pd.Series(column, dtype=dtype)
        for name, column, dtype in zip("xwit", columns, types, strict=True)
    })  # fmt: skip


def polars_frame(rows, types):
    return pl.DataFrame(rows, schema=dict(zip("xwit", types, strict=True)), orient="row")


def arrow_frame(rows):
    pytest.importorskip("pyarrow")
    return pandas_frame(
        rows, ["double[pyarrow]", "string[pyarrow]", "int64[pyarrow]", "bool[pyarrow]"]
    )


CONTAINERS = {
    "objects": objects,
    "lists": lambda rows: [list(row) for row in rows],
    "pandas_objects": lambda rows: pandas_frame(rows, ["float64", object, object, object]),
    "pandas_nullable": lambda rows: pandas_frame(rows, ["Float64", "string", "Int64", "boolean"]),
    "pandas_category": lambda rows: pandas_frame(rows, ["float64", *["category"] * 3]),
    "pandas_float": lambda rows: pandas_frame(rows, ["float64", "str", "float64", "boolean"]),
    "arrow": arrow_frame,
    "polars": lambda rows: polars_frame(rows, [pl.Float64, pl.String, pl.Int64, pl.Boolean]),
    "polars_category": lambda rows: polars_frame(
        rows, [pl.Float64, pl.Categorical, pl.Int8, pl.Boolean]
    ),
    "polars_enum": lambda rows: polars_frame(
        rows, [pl.Float32, pl.Enum(["d", "c", "b", "a", "Å"]), pl.Float64, pl.Boolean]
    ),
}


@pytest.mark.filterwarnings("ignore:No value of column")
@pytest.mark.parametrize("container", CONTAINERS)
@given(train=tables(), rows=tables())
@few
@example(train=[(None, None, None, None)], rows=[(1.5, "a", 1, True)])
@example(train=[(1.5, "a", 1, True)], rows=[(None, None, None, None)])
def test_containers_of_the_same_content_give_the_same_numbers(container, train, rows):
    make = CONTAINERS[container]
    encoder = TableEncoder(categorical_features=[1, 2, 3], min_frequency=1).fit(make(train))
    encoded = encoder.transform(make(rows))
    assert encoded.dtype == np.float32
    assert encoded.flags.c_contiguous
    columns, of_train = list(zip(*rows, strict=True)), list(zip(*train, strict=True))
    missing = [x is None for x in of_train[0]]
    expected = [naively_scaled(of_train[0], columns[0])]
    if any(missing) and not all(missing):
        expected.append([x is None for x in columns[0]])
    assert encoder.n_numeric_ == len(expected)
    for place in [1, 2, 3]:
        expected.append(naively_coded(of_train[place], columns[place], 1, 1000))
    assert_allclose(encoded, np.array(expected, dtype=float).T, rtol=1e-6, atol=1e-6)
    assert encoder.cardinalities_ == tuple(len(set(of_train[i]) - {None}) + 1 for i in (1, 2, 3))
    # Fitted in one container, it reads any other.
    other = TableEncoder(categorical_features=[1, 2, 3], min_frequency=1).fit(objects(train))
    assert_array_equal(other.transform(make(rows)), encoded)


@given(train=tables(min_rows=4), rows=tables(), data=st.data())
@few
def test_every_row_is_encoded_by_itself(train, rows, data):
    encoder = TableEncoder(categorical_features=[1, 2, 3]).fit(objects(train))
    encoded = encoder.transform(objects(rows))
    taken = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
    assert_array_equal(encoder.transform(objects(rows)[taken]), encoded[taken])
    order = data.draw(st.permutations(range(len(train))))
    again = TableEncoder(categorical_features=[1, 2, 3]).fit(objects(train)[order])
    assert_array_equal(again.transform(objects(rows)), encoded)


def test_rows_beyond_the_first_stretch_are_encoded_alike():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=40_000), rng.integers(9, size=40_000)])
    X[rng.random(X.shape) < 0.1] = nan
    encoder = TableEncoder(categorical_features=[1]).fit(X[:500])
    encoded = encoder.transform(X)
    for rows in [slice(16_000, 17_000), slice(39_990, None)]:
        assert_array_equal(encoder.transform(X[rows]), encoded[rows])
    for frame in [pd.DataFrame(X, index=rng.permutation(40_000)), pl.DataFrame(X)]:
        assert_array_equal(encoder.transform(frame), encoded)


# ---------------------------------------------------------------------------------------- numbers

FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(
    train=st.lists(st.one_of(FLOATS, st.none()), min_size=1, max_size=30),
    values=st.lists(FLOATS, max_size=5),
)
@few
@example(train=[0.0] * 9 + [1.0], values=[0.5])
@example(train=[3.0, 3.0], values=[3.0, 4.0])
@example(train=[None, None], values=[3.0])
def test_numbers_are_scaled_and_clipped_as_the_equation_says(train, values):
    encoder = TableEncoder().fit(np.array([train], dtype=float).T)
    values = [*values, *train]
    encoded = encoder.transform(np.array([values], dtype=float).T)
    known = [x for x in train if x is not None] or [0.0]
    spread = [quantile(known, 0.75) - quantile(known, 0.25), max(known) - min(known)]
    # Differences of nearly equal numbers are left to rounding, here and there.
    assume(all(s == 0 or s > 1e-6 * max(map(abs, known)) for s in spread))
    assert_allclose(encoded[:, 0], naively_scaled(train, values), rtol=1e-6, atol=1e-6)
    assert encoder.n_scaled_ == 1


@given(
    column=st.lists(st.integers(-1000, 1000), min_size=1, max_size=25),
    scale=st.sampled_from([-1000, -3, -1, 7, 1024]),
    shift=st.integers(-(10**6), 10**6),
    power=st.sampled_from([-900, -30, 0, 40, 900]),
)
@few
def test_an_affine_change_of_a_column_makes_no_difference(column, scale, shift, power):
    column = np.array([column], dtype=float).T
    encoded = TableEncoder().fit(column).transform(column)
    changed = np.ldexp(scale * column + shift, power)
    again = TableEncoder().fit(changed).transform(changed)
    assert_allclose(again, np.sign(scale) * encoded, rtol=1e-6, atol=1e-6)
    doubled = np.ldexp(column, power)  # exact, and hence equal to the last bit
    assert_array_equal(TableEncoder().fit(doubled).transform(doubled), encoded)


def test_huge_values_stay_numbers():
    largest = np.finfo(np.float64).max
    X = np.array([[-largest], [-1e300], [0.0], [1e300], [largest]])
    assert_allclose(
        TableEncoder().fit(X).transform(X)[:, 0] * [-1, 1, 1, 1, 1],
        [x / sqrt(1 + (x / 3) ** 2) for x in [largest / 2e300, -0.5, 0, 0.5, largest / 2e300]],
        rtol=1e-6,
    )  # fmt: skip
    wide = np.array([[-largest], [-largest], [largest], [largest]])
    assert_allclose(
        TableEncoder().fit(wide).transform(wide)[:, 0],
        np.array([-1, -1, 1, 1]) * naively_scaled([-1.0, -1.0, 1.0, 1.0], [1.0]),
        rtol=1e-6,
    )
    small = TableEncoder().fit(np.array([[-1e-300], [0.0], [1e-300]]))
    assert_array_equal(small.transform(X)[:, 0], [-3, -3, 0, 3, 3])


def test_columns_that_say_nothing_become_0():
    encoder = TableEncoder().fit([[5.0, nan, 0.1, 1], [5.0, nan, 0.1, 2], [5.0, nan, 0.1, 3]])
    assert encoder.n_numeric_ == encoder.n_scaled_ == 4
    encoded = encoder.transform([[5.0, nan, 0.1, 2], [7.0, 3.0, -1e300, 2], [nan, nan, nan, 2]])
    assert_array_equal(encoded, np.zeros((3, 4)))


def categorical_of(encoder):
    """The places of the columns that an encoder has found to hold categories."""
    return encoder.source_columns_[encoder.n_numeric_ :].tolist()


def test_one_row_is_enough():
    encoder = TableEncoder(categorical_features=[1], min_frequency=1).fit([[2.5, 7.0]])
    assert_array_equal(encoder.transform([[9.0, 7.0], [nan, 8.0]]), [[0, 1], [0, 0]])


def test_missing_values_are_marked_where_training_rows_have_some():
    train = np.array([[1.0, nan, nan], [2, nan, 5], [3, nan, 6], [4, nan, 9]])
    encoder = TableEncoder().fit(train)
    assert (encoder.n_scaled_, encoder.n_numeric_, encoder.cardinalities_) == (3, 4, ())
    assert_array_equal(encoder.source_columns_, [0, 1, 2, 2])
    encoded = encoder.transform([[nan, 1.0, nan], [2.5, nan, 6.0]])
    assert_array_equal(encoded, [[0, 0, 0, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "f8", "g", "O", "U"])
def test_arrays_of_numbers_of_all_types(dtype):
    X = np.array([[0, 1], [1, 1], [1, 0]])
    expected = TableEncoder().fit(X).transform(X)
    assert np.abs(expected).max() > 0
    assert_array_equal(TableEncoder().fit(X.astype(dtype)).transform(X.astype(dtype)), expected)


def test_whole_numbers_are_read_where_training_rows_had_others():
    encoder = TableEncoder().fit(np.array([[0.5], [1.5], [2.5], [3.5]]))
    expected = encoder.transform(np.array([[2.0], [3.0]]))
    for X in [[[2], [3]], pd.DataFrame({"x": [2, 3]}), pl.DataFrame({"x": [2, 3]}),
              pd.DataFrame({"x": [2, 3]}, dtype=object), np.ma.array([[2], [3]])]:  # fmt: skip
        assert_array_equal(encoder.transform(X), expected)
    masked = np.ma.array([[2], [3]], mask=[[False], [True]])
    assert encoder.transform(masked)[1, 0] == 0


# ------------------------------------------------------------------------------------- categories


@given(
    train=st.lists(WORDS, min_size=1, max_size=20),
    values=st.lists(st.sampled_from([None, *"abcdÅ", "unseen"]), min_size=1),
    min_frequency=st.integers(1, 4),
    max_categories=st.integers(1, 6),
)
@few
def test_codes_of_categories(train, values, min_frequency, max_categories):
    encoder = TableEncoder([0], min_frequency=min_frequency, max_categories=max_categories)
    encoder.fit(np.array([train], dtype=object).T)
    encoded = encoder.transform(np.array([values], dtype=object).T)[:, 0]
    assert_array_equal(encoded, naively_coded(train, values, min_frequency, max_categories))
    assert encoder.cardinalities_[0] <= max_categories
    assert encoded.max() < encoder.cardinalities_[0]


def test_identifiers_are_all_unknown():
    X = pd.DataFrame({"name": [f"person {i}" for i in range(5000)]})
    with pytest.warns(UserWarning, match="Most values of column 'name' of X stand in one"):
        encoder = TableEncoder().fit(X)
    assert encoder.cardinalities_ == (1,)
    assert not encoder.transform(X).any()
    with pytest.warns(UserWarning, match="Most values of column 'name'"):  # 999 have a code
        each = TableEncoder(min_frequency=1).fit(X)
    assert each.cardinalities_ == (1000,)
    assert set(each.transform(X)[:, 0]) == set(range(1000))


def test_large_whole_numbers_are_told_apart():
    large = 2**60 + 1
    for X in [np.array([[large], [large - 1]]), pl.DataFrame({"x": [large, large - 1, None]}),
              pd.DataFrame({"x": pd.array([large, None, large - 1], dtype="Int64")})]:  # fmt: skip
        assert TableEncoder([0], min_frequency=1).fit(X).cardinalities_ == (3,)


def test_categories_of_further_types():
    day = datetime.date(2020, 1, 1)
    frame = pd.DataFrame({
        "intervals": pd.cut(pd.Series([1.0, 2.0, 5.0, 5.5, nan]), 2),
        "mixed": pd.Series(["a", 1, "a", 1.0, True], dtype=object),
        "days": pd.Series([day, None, day, None, None], dtype=object),
        "unused": pd.Categorical([3, 1, 3, 1, None], categories=[1, 2, 3]),
    })  # fmt: skip
    encoder = TableEncoder().fit(frame)
    assert encoder.cardinalities_ == (3, 3, 2, 3)
    assert_array_equal(
        encoder.transform(frame),
        [[1, 2, 1, 2], [1, 1, 0, 1], [2, 2, 1, 2], [2, 1, 0, 1], [0, 1, 0, 0]],
    )
    assert_array_equal(encoder.transform(frame.assign(days=None)[:1]), [[1, 2, 0, 2]])


@pytest.mark.parametrize("container", ["pandas_nullable", "arrow", "polars", "polars_enum"])
def test_types_say_which_columns_are_categories(container):
    rows = [(0.5, "a", 1, True), (1.0, "b", None, False), (2.0, None, 3, True)]
    encoder = TableEncoder().fit(CONTAINERS[container](rows))
    assert categorical_of(encoder) == [1, 3]
    assert_array_equal(encoder.source_columns_, [0, 2, 2, 1, 3])
    assert encoder.n_numeric_ == 3
    assert TableEncoder(None).fit(CONTAINERS[container](rows)[["x", "i", "t"]]).cardinalities_ == ()


def test_objects_of_pandas_are_numbers_if_that_is_all_they_are():
    frame = pd.DataFrame({
        "numbers": [1, 2.5, None, pd.NA],
        "truths": [True, False, None, True],
        "mixed": [1, "a", None, 2],
        "empty": [None, None, nan, None],
    }, dtype=object)  # fmt: skip
    encoder = TableEncoder().fit(frame)
    assert categorical_of(encoder) == [1, 2, 3]
    assert_array_equal(encoder.transform(frame)[:, 1], [0, 0, 1, 1])
    assert categorical_of(TableEncoder().fit(objects([(1, 2, 3, 4)]))) == []


@pytest.mark.parametrize(
    "categorical_features",
    [[1, 3], (3, 1, 1), np.array([1, 3], dtype=np.uint8), [False, True, False, True],
     np.array([False, True, False, True]), ["w", "t"], np.array(["w", "t"]),
     pd.Index(["t", "w"]), pl.Series(["w", "t"])],
    ids=str,
)  # fmt: skip
def test_columns_can_be_named(categorical_features):
    rows = [(0.5, "a", 1, True), (1.0, "b", None, False)]
    for container in ["pandas_nullable", "polars"]:
        encoder = TableEncoder(categorical_features).fit(CONTAINERS[container](rows))
        assert categorical_of(encoder) == [1, 3]


@pytest.mark.parametrize(
    ("categorical_features", "message"),
    [
        ("colour", "'from_dtype', None, or array-like of bool, int or str.*got 'colour'"),
        ([0.5], r"array-like of bool, int or str.*got \[0.5\]"),
        ([[0]], "of one dimension"),
        ([None, "w"], "array-like of bool, int or str"),
        ([True], r"boolean mask must have shape \(4,\).*got \(1,\)"),
        ([0, 4, -1], r"\[0, n_features - 1\].*\[0, 3\]; got \[4, -1\]"),
        (["w", "colour"], r"has 'colour', which X does not; its columns are \['x', 'w'"),
    ],
)
def test_what_names_no_columns(categorical_features, message):
    frame = CONTAINERS["polars"]([(0.5, "a", 1, True)])
    with pytest.raises(ValueError, match=message):
        TableEncoder(categorical_features).fit(frame)


def test_arrays_have_no_names():
    with pytest.raises(ValueError, match="X has no names; pass integers or a boolean mask"):
        TableEncoder(["w"]).fit(np.zeros((3, 2)))
    assert TableEncoder([]).fit(np.zeros((3, 2))).cardinalities_ == ()


@pytest.mark.parametrize("name", ["min_frequency", "max_categories"])
def test_counts_are_whole_numbers(name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1; got 0.5"):
        TableEncoder(**{name: 0.5}).fit(np.zeros((3, 2)))


# ------------------------------------------------------------------------------- what is no table

BAD = {
    "sparse": (scipy.sparse.csr_array(np.eye(3)), TypeError, "Sparse data was passed"),
    "one_dimension": (np.zeros(3), ValueError, "Expected 2D array, got 1D.*Reshape your data"),
    "images": (np.zeros((3, 2, 8, 8)), ValueError, "Expected 2D array, got 4D.*images.*in module"),
    "no_rows": (np.zeros((0, 2)), ValueError, r"0 sample\(s\) \(shape=\(0, 2\)\) while a minimum"),
    "no_columns": (np.zeros((3, 0)), ValueError, r"0 feature\(s\) \(shape=\(3, 0\)\) while a min"),
    "lazy": (pl.LazyFrame({"a": [1]}), ValueError, "LazyFrame, without rows yet"),
    "shared_names": (
        pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "more than one column 'a'"
    ),
    "infinity": ([[0.0, 1], [1, inf]], ValueError, "Input X contains infinity.*: column 1"),
    "too_large": ([[10**400]], ValueError, "int too large to convert to float: column 0"),
    "infinity_named": (
        pl.DataFrame({"a": [1, 2], "b": [1.0, -inf]}), ValueError, "contains infinity.*: column 'b'"
    ),
    "complex": (np.ones((2, 2), dtype=complex), ValueError, "Complex data not supported: column 0"),
    "dict": (
        np.array([[1.0, {"a": 1}]], dtype=object), TypeError,
        "argument must be .* string.* number.*: column 1 of X",
    ),
    "words": (
        np.array([[1.0, "red"], [2.0, "blue"]], dtype=object), ValueError,
        "could not convert string to float: 'red': column 1 of X, of type object, must hold numb"
        ".*name it in categorical_features",
    ),
    "text": (np.array([["red"]]), ValueError, "could not convert string to float.*column 0"),
    "days": (pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}), TypeError, "column 'day' of X"),
    "polars_days": (pl.DataFrame({"d": [datetime.date(2020, 1, 1)]}), TypeError, "column 'd' of X"),
    "array_days": (np.array([["2020-01-01"]], dtype="M8[D]"), TypeError, "column 0 of X, of type"),
    "structs": (pl.DataFrame({"s": [{"a": 1}]}), TypeError, "column 's' of X, of type Struct"),
    "lists": (
        pd.DataFrame({"l": [[1], [2]]}), TypeError,
        "column 'l' of X holds no single values.*argument must be a string or a number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_read(kind):
    X, error, message = BAD[kind]
    encoder = TableEncoder().fit(np.array([[0.0], [1.0]]))
    before = pickle.dumps(encoder)
    with pytest.raises(error, match=message):
        encoder.fit(X)
    assert pickle.dumps(encoder) == before


@pytest.mark.parametrize(
    "column",
    [[[1], [2]], [{"a": 1}, {"a": 2}], [object(), object()], [1j, 2j]],
    ids=["lists", "dicts", "objects", "complex"],
)
def test_categories_are_single_values_in_an_order(column):
    X = np.empty((4, 1), dtype=object)
    X[:, 0] = column * 2
    with pytest.raises(TypeError, match=r"column 0 of X holds .*argument must be a string or"):
        TableEncoder([0]).fit(X)


def test_words_where_numbers_were():
    frame = pd.DataFrame({"size": [1.0, 2.0], "colour": ["red", "blue"]})
    encoder = TableEncoder().fit(frame)
    with pytest.raises(ValueError, match=r"could not convert.*column 'size' of X"):
        encoder.transform(frame[["colour", "size"]].set_axis(["size", "colour"], axis=1))
    with pytest.raises(ValueError, match="X has 1 features, but TableEncoder is expecting 2 feat"):
        encoder.transform(frame[["size"]])
    with pytest.raises(ValueError, match=r"infinity.*'size'"):
        encoder.transform(frame.assign(size=inf))
    assert encoder.transform(frame[:0]).shape == (0, 2)


def test_tables_stay_as_they_are():
    rows = [(0.5, "a", 1, True), (None, "b", None, False), (2.0, None, 3, True)]
    for make in CONTAINERS.values():
        X, original = make(rows), make(rows)
        if isinstance(X, np.ndarray):
            X.flags.writeable = False
        TableEncoder([1, 2, 3]).fit(X).transform(X)
        if isinstance(X, list):
            assert original == X
        elif isinstance(X, pl.DataFrame):
            assert X.equals(original)
        else:
            pd.testing.assert_frame_equal(pd.DataFrame(X), pd.DataFrame(original))
    numbers = np.array([[1.0, nan], [2.0, 3.0]], order="F")
    for X in [numbers, pd.DataFrame(numbers), pl.DataFrame(numbers)]:
        TableEncoder().fit(X).transform(X)
        assert_array_equal(X, [[1.0, nan], [2.0, 3.0]])


def test_encoders_can_be_pickled():
    rows = [(0.5, "a", 1, True), (None, "b", None, False), (2.0, "a", 3, True)]
    X = CONTAINERS["polars"](rows)
    encoder = TableEncoder().fit(X)
    assert_array_equal(pickle.loads(pickle.dumps(encoder)).transform(X), encoder.transform(X))


class WithAnIndex(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise AssertionError("a data set must not be read")


def test_what_is_a_table(tmp_path):
    np.save(tmp_path / "X.npy", np.zeros((3, 2)))
    np.save(tmp_path / "images.npy", np.zeros((3, 2, 8, 8)))
    yes = [np.zeros((3, 2)), np.zeros((3, 2), dtype=object), [[1, "a"], [2, None]], ((1, 2),),
           pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), torch.zeros(3, 2),
           np.ma.zeros((3, 2)), np.load(tmp_path / "X.npy", mmap_mode="r")]  # fmt: skip
    no = [np.zeros(3), np.zeros((3, 2, 8, 8)), [1, 2], [[1, 2], [3]], [[[1], [2]]], "words", None,
          5, WithAnIndex(), np.load(tmp_path / "images.npy", mmap_mode="r"), pd.Series([1]),
          pl.Series([1]), scipy.sparse.eye_array(3), torch.zeros(3, 2, 8, 8)]  # fmt: skip
    assert [is_table(X) for X in yes] == [True] * len(yes)
    assert [is_table(X) for X in no] == [False] * len(no)
    with pytest.raises(ValueError, match="X is a LazyFrame, without rows yet: call its collect"):
        is_table(pl.LazyFrame({"a": [1]}))


# -------------------------------------------------------------------------------------- real data


def test_real_tables(data_folder):
    paths = sorted((data_folder / "tabular").glob("*.npz"))
    assert len(paths) == 23
    for path in paths:
        data = np.load(path)
        X = data["X"]
        mask = data["categorical"] if "categorical" in data else np.zeros(X.shape[1], dtype=bool)
        train, test = X[::2], X[1::2]
        encoder = TableEncoder(mask).fit(train)
        encoded = np.vstack([encoder.transform(train), encoder.transform(test)])
        assert np.isfinite(encoded).all(), path
        assert (np.abs(encoded[:, : encoder.n_numeric_]) <= 3).all(), path
        codes = encoded[:, encoder.n_numeric_ :]
        assert codes.shape[1] == len(encoder.cardinalities_) == mask.sum()
        assert (codes.max(axis=0, initial=0) < encoder.cardinalities_).all(), path
        both = np.vstack([train, test])
        for place in np.flatnonzero(~mask)[:5]:
            column, values = ([None if isnan(x) else x for x in rows[:, place].tolist()]
                              for rows in (train, both))  # fmt: skip
            target = np.flatnonzero(encoder.source_columns_ == place)[0]
            assert_allclose(
                encoded[:, target], naively_scaled(column, values), rtol=1e-5, atol=1e-6
            )
        frame = pl.DataFrame(X).with_columns(
            pl.col(f"column_{place}").cast(pl.Int64).cast(pl.String)
            for place in np.flatnonzero(mask)
        )  # fmt: skip
        named = TableEncoder().fit(frame[::2])
        assert sorted(named.cardinalities_) == sorted(encoder.cardinalities_)


def test_columns_that_teach_nothing_are_warned_of():
    X = pd.DataFrame(
        {
            "name": [f"person {number}" for number in range(40)],
            "kind": [*"xy"] * 20,
            "code": [f"c{number}" for number in range(30)] + 5 * [None] + ["c"] * 5,
        }
    )
    expected = (
        "Most values of column 'name', column 'code' of X .* count as unknown. Drop columns of "
        "identifiers"
    )
    with pytest.warns(UserWarning, match=expected):
        TableEncoder().fit(X)
    with pytest.warns(UserWarning, match="Most values of column 0 of X"):
        TableEncoder([0]).fit(np.arange(10)[:, None])


@pytest.mark.parametrize(
    "text",
    [
        [str(number % 30) for number in range(90)],
        [f"{number / 7}" for number in range(40)],
        [f"1,{number:03}" for number in range(25)] + ["?"] * 10 + [None],
    ],
    ids=["repeated", "unique", "thousands"],
)
def test_numbers_kept_as_text_are_warned_of(text):
    X = pd.DataFrame({"price": text})
    with pytest.warns(UserWarning, match="values of column 'price' of X are numbers kept as text"):
        TableEncoder().fit(X)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Most values")
        TableEncoder(["price"]).fit(X)  # named, they are categories


def test_few_numbers_may_be_names():
    TableEncoder().fit(pd.DataFrame({"grade": [str(number % 19) for number in range(95)]}))
    mixed = [f"room {number}" for number in range(30)] + [str(number) for number in range(25)]
    TableEncoder().fit(pd.DataFrame({"place": mixed * 2}))


@pytest.mark.parametrize(
    "kind",
    [
        [*"abcdefghi"],
        [*"abcdefghij", *"xy" * 5],
        [*"abcdefghij" * 2],
        [None] * 20,
    ],
    ids=["few", "half", "twice", "missing"],
)
def test_few_rare_categories_are_nothing_to_warn_of(kind):
    TableEncoder().fit(pd.DataFrame({"kind": kind}))


def test_values_that_have_a_code_are_nothing_to_warn_of():
    names = pd.DataFrame({"name": [f"person {i}" for i in range(20)]})
    assert TableEncoder(min_frequency=1).fit(names).cardinalities_ == (21,)


def test_a_column_of_another_kind_is_warned_of():
    X = pd.DataFrame({"a": range(12), "kind": ["x", "y", "z"] * 4})
    encoder = TableEncoder().fit(X)
    other = X.assign(kind=X["kind"].astype("category").cat.codes)
    expected = "No value of column 'kind' of X .* got, for instance, 0; known is, for instance, 'x'"
    with pytest.warns(UserWarning, match=expected):
        codes = encoder.transform(other)[:, -1]
    assert not codes.any()
    for quiet in (other[:9], X.assign(kind=None), X.assign(kind=["new"] * 11 + ["x"])):
        encoder.transform(quiet)
