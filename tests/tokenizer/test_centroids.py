"""Imported centroids: every published format gives scikit-learn's own, and a hostile file runs nothing."""

import bz2
import functools
import gzip
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib

import joblib
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster

from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, Tokenizer
from slm_jax.tokenizer.centroids import import_tokenizer, read_centroids

DIM = 26


def fitted(model=cluster.MiniBatchKMeans, dtype=np.float32, **options):
    features = np.random.default_rng(0).normal(size=(200, DIM)).astype(dtype)
    return model(7, n_init=1, random_state=np.random.RandomState(0), **options).fit(features)


@pytest.mark.parametrize("model", [cluster.KMeans, cluster.MiniBatchKMeans])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3)])
def test_joblib_files_give_scikit_learns_centroids(tmp_path, model, dtype, compress):
    kmeans = fitted(model, dtype, init=np.random.default_rng(1).normal(size=(7, DIM)))
    joblib.dump(kmeans, tmp_path / "km.bin", compress=compress)
    centroids = read_centroids(tmp_path / "km.bin")
    assert centroids.dtype == np.float32
    np.testing.assert_array_equal(centroids, kmeans.cluster_centers_.astype(np.float32))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f8"])
def test_pickles_of_every_protocol_order_and_type(tmp_path, protocol, order, dtype):
    kmeans = fitted()
    kmeans.cluster_centers_ = np.asarray(kmeans.cluster_centers_, dtype=dtype, order=order)
    expected = kmeans.cluster_centers_.astype(np.float32)
    for name, content in {"model.pkl": kmeans, "array.pickle": kmeans.cluster_centers_}.items():
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol))
        np.testing.assert_array_equal(read_centroids(tmp_path / name), expected)
    if dtype != ">f8":
        joblib.dump(kmeans, tmp_path / "km.joblib", protocol=protocol)
        np.testing.assert_array_equal(read_centroids(tmp_path / "km.joblib"), expected)


def test_files_of_joblib_before_alignment_and_of_older_module_names(tmp_path):
    """joblib up to 1.1 wrote no padding, and scikit-learn up to 0.22 had its own joblib and other modules."""
    centroids = np.arange(12, dtype=np.float32).reshape(4, 3)
    old = (
        b"\x80\x02csklearn.cluster.k_means_\nMiniBatchKMeans\n)\x81}(X\x10\0\0\0cluster_centers_"
        b"csklearn.externals.joblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("
        b"U\x08subclasscnumpy\nndarray\nU\x05shapeK\x04K\x03\x86U\x05orderU\x01C"
        b"U\x05dtypecnumpy\ndtype\nU\x02f4K\0K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        b"U\nallow_mmap\x88ub" + centroids.tobytes() + b"U\x07verboseK\0ub."
    )
    (tmp_path / "km.bin").write_bytes(old)
    np.testing.assert_array_equal(read_centroids(tmp_path / "km.bin"), centroids)


def test_array_files(tmp_path):
    centroids = np.random.default_rng(0).normal(size=(7, DIM)).astype(np.float32)
    np.save(tmp_path / "c.npy", centroids.astype(np.float64))
    np.savez(tmp_path / "c.npz", centroids=centroids)
    np.savez_compressed(tmp_path / "many.npz", centroids=centroids, counts=np.zeros(7))
    safetensors.numpy.save_file({"centroids": centroids}, tmp_path / "c.safetensors")
    for name in ("c.npy", "c.npz", "c.safetensors"):
        np.testing.assert_array_equal(read_centroids(tmp_path / name), centroids)
    np.testing.assert_array_equal(read_centroids(tmp_path / "many.npz", "centroids"), centroids)
    with pytest.raises(InputError, match=r"many\.npz.*name of one.*centroids, counts"):
        read_centroids(tmp_path / "many.npz")
    with pytest.raises(InputError, match=r"no array 'means'.*centroids, counts"):
        read_centroids(tmp_path / "many.npz", "means")
    with pytest.raises(InputError, match=r"c\.npy.*names no arrays"):
        read_centroids(tmp_path / "c.npy", "centroids")


class Attack:
    """Pickled, it is a program that makes a file."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Model(cluster.KMeans):
    """No name that the reader knows."""


@pytest.mark.parametrize("kind", ["system", "eval", "nested in a model", "under an array", "by build"])
@pytest.mark.parametrize("wrap", [pickle.dumps, lambda o: pickle.dumps(o, 2), "joblib", "compressed"])
def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(tmp_path, kind, wrap):
    trace = tmp_path / "it-ran"
    forbidden = "eval"
    attack = Attack(eval, f"open({str(trace)!r}, 'w')")
    if kind == "system":
        forbidden, attack = "system", Attack(os.system, f"touch {trace}")
    elif kind == "nested in a model":
        kmeans = fitted()
        kmeans.tol = attack
        attack = kmeans
    elif kind == "under an array":
        attack = np.array([[attack]], dtype=object)
    elif kind == "by build":
        attack = Attack(getattr, Attack(__import__, "os"), "system")
        forbidden = "__import__|getattr"
    path = tmp_path / "km.bin"
    if wrap in ("joblib", "compressed"):
        joblib.dump(attack, path, compress=3 if wrap == "compressed" else 0)
    else:
        path.write_bytes(wrap(attack))
    if kind in ("system", "eval"):  # that the payload is a real one
        pickle.loads(pickle.dumps(attack))
        assert trace.exists()
        trace.unlink()
    reason = f"no k-means needs|{forbidden}|something else than plain numbers|no KMeans"
    with pytest.raises(InputError, match=reason) as error:
        read_centroids(path)
    assert str(path) in str(error.value)
    if kind in ("system", "eval", "nested in a model"):
        assert forbidden in str(error.value)
    assert not trace.exists()


def test_a_class_derived_from_an_allowed_one_is_refused(tmp_path):
    (tmp_path / "km.pkl").write_bytes(pickle.dumps(fitted(Model)))
    with pytest.raises(InputError, match=r"Model, which no k-means needs"):
        read_centroids(tmp_path / "km.pkl")


@pytest.mark.parametrize(
    "name",
    ["posix\nsystem", "builtins\nexec", "numpy\nload", "joblib\nload", "sklearn.cluster._kmeans\nos.system"],
)
def test_names_beside_the_allowed_ones_are_refused(tmp_path, name):
    (tmp_path / "km.pkl").write_bytes(f"c{name}\n(S'x'\ntR.".encode())
    with pytest.raises(InputError, match=name.replace("\n", r"\.")):
        read_centroids(tmp_path / "km.pkl")


@pytest.mark.parametrize(
    "program",
    [
        b"(i__main__\nX\n.",
        b"Pid\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x05\x97.",
        b"\x80\x02cnumpy\ndtype\n)}\x92.",
    ],
)
def test_opcodes_that_reach_outside_are_refused(tmp_path, program):
    (tmp_path / "km.pkl").write_bytes(program)
    with pytest.raises(InputError, match="pickle opcode"):
        read_centroids(tmp_path / "km.pkl")


def doubled(times: int = 60) -> bytes:
    """A tuple of two that are one, so often: small, and endless to hash, to compare or to print."""
    return b")\x94" + b"".join(bytes([*b"h", i, *b"h", i]) + b"\x86\x94" for i in range(times))


def with_endless(program: bytes) -> bytes:
    """The program with ENDLESS standing for a tuple that is endless to walk through."""
    return b"\x80\x04" + doubled() + program.replace(b"ENDLESS", b"h\x3c")


NDARRAY = b"cnumpy.core.multiarray\n_reconstruct\n)R"
FLOATS = b"cnumpy\ndtype\nU\x02f8\x85R(K\x03U\x01<tb"
HOSTILE = {
    "names": with_endless(b"ENDLESSENDLESS\x93."),
    "a name in a module": with_endless(b"U\x05numpyENDLESS\x93."),
    "a called tuple": with_endless(b"ENDLESS)R."),
    "an encoding": with_endless(b"c_codecs\nencode\nU\x01xENDLESS\x86R."),
    "encoded": with_endless(b"c_codecs\nencode\nENDLESSU\x06latin1\x86R."),
    "a key": with_endless(b"}ENDLESSK\x01s."),
    "the top": with_endless(b"ENDLESS."),
    "a state": with_endless(b"csklearn.cluster._kmeans\nKMeans\n)\x81ENDLESSb."),
    "centroids": with_endless(b"csklearn.cluster._kmeans\nKMeans\n)\x81}U\x10cluster_centers_ENDLESSsb."),
    "a shape": with_endless(NDARRAY + b"(K\x01ENDLESS" + FLOATS + b"\x89U\x08aaaaaaaatb."),
    "a dtype": with_endless(NDARRAY + b"(K\x01K\x01\x85ENDLESS\x89U\x08aaaaaaaatb."),
    "a code": with_endless(
        NDARRAY + b"(K\x01K\x01\x85cnumpy\ndtype\nENDLESS\x85R(K\x03U\x01<tb\x89U\x08aaaaaaaatb."
    ),
    "a byte order": with_endless(
        NDARRAY + b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02f8\x85R(K\x03ENDLESStb\x89U\x08aaaaaaaatb."
    ),
    "data": with_endless(NDARRAY + b"(K\x01K\x01\x85" + FLOATS + b"\x89ENDLESStb."),
    "an order": with_endless(
        b"cnumpy.core.numeric\n_frombuffer\n(U\x08aaaaaaaa" + FLOATS + b"K\x01\x85ENDLESStR."
    ),
    "pop": b"\x80\x02]0.",
    "a long name": b"\x80\x02c" + b"x" * 10**6 + b"\ny\n.",
    "a nest": b"\x80\x02" + b")" + b"\x85" * 300_000 + b".",
    "bytes again and again": b"\x80\x02X"
    + struct.pack("<I", 10**7)
    + b"a" * 10**7
    + b"q\0c_codecs\nencode\nq\1"
    b"U\6latin1q\2" + b"h\1h\0h\2\x86R" * 200 + b".",
    "lists without end": b"\x80\x02" + b"]" * 10**8 + b".",
    "one dictionary for many": b"\x80\x02}("
    + b"".join(b"X\4\0\0\0%04dK\1" % i for i in range(10_000))
    + b"U\5shapeK\0\x85U\5dtype"
    + FLOATS
    + b"uq\0"
    + b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81h\0b" * 10_000
    + b".",
    "huge sizes": NDARRAY
    + b"(K\x01("
    + (b"\x8b" + struct.pack("<i", 10**5) + b"\x7f" * 10**5) * 100
    + b"t"
    + FLOATS
    + b"\x89U\x08aaaaaaaatb.",
}
READ = """
import pathlib, resource, sys
from slm_jax.errors import InputError
from slm_jax.tokenizer.pickles import read_pickled_centroids
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(path.stem, flush=True)
    try:
        read_pickled_centroids(path)
    except InputError as error:
        assert len(str(error)) < 1000, len(str(error))
    else:
        raise AssertionError("it was read")
assert peak() - before < 1500, f"{peak() - before} MiB"
"""


def test_hostile_pickles_are_refused_in_little_time_and_memory(tmp_path):
    for name, content in HOSTILE.items():
        (tmp_path / f"{name}.pkl").write_bytes(zlib.compress(content, 1))
    found = subprocess.run(
        [sys.executable, "-c", READ, tmp_path], capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stdout.splitlines()[-1:] + found.stderr.splitlines()[-1:]
    assert found.stdout.split("\n") == [*sorted(HOSTILE), ""]


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "km.bin"
    for compress in (0, 3):
        joblib.dump(fitted(), path, compress=compress)
        content = path.read_bytes()
        for length in [*range(0, len(content) - 1, 41), len(content) - 1]:
            path.write_bytes(content[:length])
            with pytest.raises(InputError, match=r"km\.bin: .*(truncated|damaged)"):
                read_centroids(path)


@functools.cache
def pickled() -> bytes:
    return pickle.dumps(fitted())


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=9), st.floats(0, 1))
def test_damage_gives_no_other_error_than_the_readable_one(tmp_path_factory, noise, at):
    path = tmp_path_factory.mktemp("noise") / "km.pkl"
    at = int(at * len(pickled()))
    path.write_bytes(pickled()[:at] + noise + pickled()[at + len(noise) :])
    try:
        assert read_centroids(path).ndim == 2
    except InputError as error:
        assert str(path) in str(error)


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("slm_jax.tokenizer.pickles.MAX_BYTES", 10**6)
    monkeypatch.setattr("slm_jax.tokenizer.centroids.MAX_BYTES", 10**6)
    (tmp_path / "zip.joblib").write_bytes(zlib.compress(bytes(10**7)))
    (tmp_path / "gzip.joblib").write_bytes(gzip.compress(bytes(10**7)))
    (tmp_path / "plain.joblib").write_bytes(b"\x80\x02" + bytes(10**7))
    np.savez_compressed(tmp_path / "bomb.npz", centroids=np.zeros((2000, 1000), np.float32))
    for name in ("zip.joblib", "gzip.joblib", "plain.joblib", "bomb.npz"):
        with pytest.raises(InputError, match=f"{name}.*more than 1 GiB"):
            read_centroids(tmp_path / name)


def test_a_bomb_of_nested_tuples_and_a_false_shape_are_refused_at_once(tmp_path):
    nested = b"\x80\x02K\x01" + b"2\x86" * 200 + b"}" + b"2s."
    array = pickle.dumps(np.zeros((7, DIM)), 2)
    false_shape = array.replace(b"K\x07K\x1a", b"J\xff\xff\xff\x7fK\x1a")
    assert false_shape != array
    for content in (nested, false_shape):
        (tmp_path / "km.pkl").write_bytes(content)
        with pytest.raises(InputError, match=r"km\.pkl"):
            read_centroids(tmp_path / "km.pkl")


def test_npy_and_npz_hold_no_pickle_and_no_false_header(tmp_path):
    trace = tmp_path / "it-ran"
    attack = np.array([[Attack(eval, f"open({str(trace)!r}, 'w')")]], dtype=object)
    np.save(tmp_path / "a.npy", attack)
    np.savez(tmp_path / "a.npz", centroids=attack)
    header = np.lib.format.magic(1, 0) + struct.pack("<H", 118)
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000000, 768), }"
    (tmp_path / "huge.npy").write_bytes(header + text.ljust(117) + b"\n" + bytes(64))
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.write(tmp_path / "huge.npy", "centroids.npy")
    (tmp_path / "cut.safetensors").write_bytes(safetensors.numpy.save({"a": np.zeros((9, 9))})[:-8])
    for name in ("a.npy", "a.npz", "huge.npy", "huge.npz", "cut.safetensors"):
        with pytest.raises(InputError, match=f"{name}: truncated"):
            read_centroids(tmp_path / name)
    assert not trace.exists()


def test_other_content_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "old.joblib").write_bytes(b"ZF0x10                " + zlib.compress(b"x"))
    (tmp_path / "bz.joblib").write_bytes(bz2.compress(b"x"))
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "words.pkl").write_bytes(pickle.dumps(np.array([["a"]])))
    (tmp_path / "unfitted.pkl").write_bytes(pickle.dumps(cluster.KMeans(3)))
    (tmp_path / "c.txt").write_text("1 2\n")
    np.save(tmp_path / "flat.npy", np.zeros(7))
    np.save(tmp_path / "whole.npy", np.zeros((7, 2), int))
    np.save(tmp_path / "nan.npy", np.full((7, 2), np.nan))
    np.save(tmp_path / "large.npy", np.full((7, 2), 1e300))
    for name, reason in {
        "old.joblib": "joblib before 0.10; save",
        "bz.joblib": "compressed with bz2",
        "list.pkl": "holds no KMeans",
        "words.pkl": "something else than plain numbers",
        "unfitted.pkl": "never fitted",
        "c.txt": r"cannot tell the format.*\.npy",
        "flat.npy": r"shape \(K, D\).*\(7,\)",
        "whole.npy": "floating point, found int64",
        "nan.npy": "NaN",
        "large.npy": "infinite",
        "absent.npy": "no such file",
    }.items():
        with pytest.raises(InputError, match=reason) as error:
            read_centroids(tmp_path / name)
        assert name in str(error.value)


def test_imported_centroids_make_a_tokenizer_that_names_its_source(tmp_path):
    kmeans = fitted()
    path = tmp_path / "mfcc_km7.bin"
    joblib.dump(kmeans, path)
    tokenizer = import_tokenizer(MFCC(), path, collapse=False)
    assert tokenizer.fit["imported"] == "mfcc_km7.bin" and len(tokenizer.fit["sha256"]) == 64
    features = MFCC()(np.random.default_rng(2).normal(0, 0.1, 16_000).astype(np.float32))
    wave = np.random.default_rng(2).normal(0, 0.1, 16_000).astype(np.float32)
    np.testing.assert_array_equal(tokenizer.encode(wave), kmeans.predict(features))
    tokenizer.save(tmp_path / "tokenizer")
    assert Tokenizer.load(tmp_path / "tokenizer").fingerprint == tokenizer.fingerprint
    with pytest.raises(InputError, match=r"mfcc_km7\.bin.*26 dimensions.*'mfcc' gives 24"):
        import_tokenizer(MFCC(n_mfcc=12), path)
