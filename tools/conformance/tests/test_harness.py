"""Tests of the harness: a correct driver passes, and every kind of wrong one is detected.

Run by tools/test: `python -m unittest discover -s tools/conformance/tests` with the Python of .venv. The drivers are
small shell scripts; the graph is real, and goes through tosa-opt and the reference model.
"""

from __future__ import annotations

import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strum_conformance import generate, graphs, networks, operators, outcome, tosa  # noqa: E402
from strum_conformance.generate import Test  # noqa: E402
from strum_conformance.outcome import Status  # noqa: E402
from strum_conformance.programs import Drivers  # noqa: E402

GRAPH = """
func.func @main(%arg0: tensor<4xi32>) -> tensor<4xi32> {
  %0 = tosa.clz %arg0 : (tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
"""
INPUT = np.array([0, 1, -1, 1 << 20], np.int32)
RESULT = np.array([32, 31, 0, 11], np.int32)


class Conformance(unittest.TestCase):
    """One test of one operator, run through drivers that behave and misbehave."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        test = self.folder / "clz_4_i32"
        test.mkdir()
        (test / "graph.mlir").write_text(GRAPH)
        tosa.to_flatbuffer(test / "graph.mlir", test / "test.tosa")
        np.save(test / "input-0.npy", INPUT)
        desc = {
            "tosa_file": "test.tosa",
            "ifm_name": ["TosaInput_0"],
            "ifm_file": ["input-0.npy"],
            "ofm_name": ["TosaOutput_0"],
            "ofm_file": ["result-0.npy"],
            "expected_failure": False,
        }
        (test / "desc.json").write_text(json.dumps(desc))
        self.test = Test("clz", test, (test / "input-0.npy",), ("result-0.npy",), None)

    def result(self, script: str, error_if: str | None = None, timeout: float = 60.0) -> outcome.Outcome:
        """The outcome with a driver that is a shell script: $2 is the graph, $6 the file to write."""
        driver = self.folder / "strumc"
        driver.write_text(f"#!/bin/sh\n{script}\n")
        driver.chmod(0o755)
        settings = operators.Settings(driver, (), timeout, self.folder / "results", keep=False)
        test = Test("clz", self.test.folder, self.test.inputs, self.test.outputs, error_if, ("TosaOutput_0",))
        return operators.run_one(test, settings)

    def copying(self, array: np.ndarray) -> str:
        """A driver that answers with a fixed array."""
        np.save(self.folder / "answer.npy", array)
        return f'cp {self.folder}/answer.npy "$6"'

    def test_exact(self) -> None:
        self.assertEqual(self.result(self.copying(RESULT)).status, Status.EXACT)

    def test_same_bits_in_an_unsigned_array(self) -> None:
        self.assertEqual(self.result(self.copying(RESULT.astype(np.uint32))).status, Status.EXACT)

    def test_one_wrong_bit(self) -> None:
        result = self.result(self.copying(RESULT ^ np.array([0, 0, 1, 0], np.int32)))
        self.assertEqual(result.status, Status.WRONG)
        self.assertEqual(result.message, "1 of 4 values; the first at [2]: 1, expected 0")

    def test_wrong_shape_and_type(self) -> None:
        self.assertEqual(self.result(self.copying(RESULT[None])).status, Status.WRONG)
        self.assertEqual(self.result(self.copying(RESULT.astype(np.int64))).status, Status.WRONG)
        self.assertEqual(self.result(self.copying(RESULT.astype(np.float32))).status, Status.WRONG)

    def test_nothing_written(self) -> None:
        self.assertEqual(self.result("true").status, Status.WRONG)

    def test_not_an_array(self) -> None:
        self.assertEqual(self.result('echo no > "$6"').status, Status.WRONG)

    def test_unsupported_at_the_operator(self) -> None:
        line = 1 + next(i for i, text in enumerate(self.mlir().splitlines()) if "tosa.clz" in text)
        result = self.result(f'echo "$2:{line}:10: error: clz is not supported" >&2; exit 3')
        self.assertEqual(result.status, Status.UNSUPPORTED)
        self.assertEqual(result.message, f"{line}:10: clz is not supported")

    def test_unsupported_somewhere_else(self) -> None:
        self.assertEqual(self.result('echo "$2:1:1: error: not supported" >&2; exit 3').status, Status.UNLOCATED)
        self.assertEqual(self.result('echo "error: not supported" >&2; exit 3').status, Status.UNLOCATED)

    def test_rejected(self) -> None:
        self.assertEqual(self.result('echo "error: bad" >&2; exit 1').status, Status.REJECTED)
        self.assertEqual(self.result('echo "error: too large" >&2; exit 4').status, Status.REJECTED)

    def test_crash(self) -> None:
        self.assertEqual(self.result("kill -SEGV $$").status, Status.CRASH)
        self.assertEqual(self.result("echo \"thread 'main' panicked\" >&2; exit 101").status, Status.CRASH)
        self.assertEqual(self.result("exit 70").status, Status.CRASH)

    def test_usage_error_is_no_excuse(self) -> None:
        self.assertTrue(self.result("exit 2").status.failed)

    def test_hang(self) -> None:
        self.assertEqual(self.result("sleep 60", timeout=0.5).status, Status.HANG)

    def test_negative(self) -> None:
        self.assertEqual(self.result("exit 1", "WrongRank").status, Status.REFUSED)
        self.assertEqual(self.result("exit 3", "WrongRank").status, Status.REFUSED)
        good = self.result(self.copying(RESULT), "WrongRank")
        self.assertEqual(good.status, Status.HARMLESS, good.message)
        self.assertEqual(self.result(self.copying(-RESULT), "WrongRank").status, Status.ACCEPTED)
        self.assertEqual(self.result("kill -ABRT $$", "WrongRank").status, Status.CRASH)

    def test_results_of_failures_stay(self) -> None:
        self.result(self.copying(RESULT))
        self.assertFalse((self.folder / "results/clz/clz_4_i32").exists())
        self.result(self.copying(-RESULT))
        self.assertTrue((self.folder / "results/clz/clz_4_i32/result-0.npy").exists())

    def mlir(self) -> str:
        """The graph as the driver gets it."""
        path = self.folder / "probe.mlir"
        tosa.to_mlir(self.test.folder / "test.tosa", path)
        return path.read_text()


class Sample(unittest.TestCase):
    """The fixed sample."""

    def test_takes_from_every_operator_and_is_fixed(self) -> None:
        names = [("add", 50), ("clz", 2), ("sub", 50)]
        tests = [Test(op, Path(f"{op}_{i}"), (), (), None) for op, count in names for i in range(count)]
        chosen = generate.sample(tests, 12)
        self.assertEqual([sum(test.op == op for test in chosen) for op, _ in names], [5, 2, 5])
        self.assertEqual(chosen, generate.sample(list(reversed(tests)), 12))
        self.assertEqual(len(generate.sample(tests, 1000)), 102)


class Networks(unittest.TestCase):
    """The judgement of a network's outputs."""

    def test_a_row_without_samples_is_a_failure(self) -> None:
        self.assertTrue(networks.Row("net", "dense").failed)
        self.assertTrue(networks.Row("net", "dense", samples=2, exact=1).failed)
        self.assertFalse(networks.Row("net", "dense", samples=2, exact=2).failed)

    def test_top1_ignores_unlabelled_samples(self) -> None:
        outputs = np.array([[1, 2], [3, 3], [5, 4]])
        self.assertEqual(networks.top1(outputs, np.array([1, -1, 1])), 0.5)
        self.assertEqual(networks.top1(outputs, np.array([1, 0, 0])), 1.0)
        self.assertIsNone(networks.top1(outputs, None))


class Booleans(unittest.TestCase):
    """Constants in the notation of LLVM 22, one bit an element."""

    def test_bits_reach_the_reference_model(self) -> None:
        text = """
func.func @main() -> tensor<11xi1> {
  %0 = "tosa.const"() <{values = dense<"0x0D05"> : tensor<11xi1>}> : () -> tensor<11xi1>
  return %0 : tensor<11xi1>
}
"""
        with tempfile.TemporaryDirectory() as name:
            mlir, flatbuffer = Path(name, "bits.mlir"), Path(name, "bits.tosa")
            mlir.write_text(text)
            tosa.to_flatbuffer(mlir, flatbuffer)
            outputs = tosa.run_batch(flatbuffer, [[]])[0]
        self.assertEqual(outputs[0].astype(int).tolist(), [1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1])


class Graphs(unittest.TestCase):
    """The judgement of random graphs."""

    def judge(self, answer: np.ndarray) -> list[str]:
        """What is found wrong with a driver that answers so in each of two settings."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "graph-7.mlir").write_text(GRAPH)
            np.save(folder / "graph-7.in0.npy", INPUT)
            # Only their number is taken: what is expected is asked of the reference model.
            np.save(folder / "graph-7.out0.npy", np.zeros(4, np.int32))
            np.save(folder / "answer.npy", answer)
            driver = folder / "driver"
            driver.write_text(
                "#!/bin/sh\n"
                f"case $0.$1 in *.run) for last; do :; done; cp {folder}/answer.npy \"$last\";;"
                ' *) for last; do :; done; cp "$1" "$last";; esac\n'
            )
            driver.chmod(0o755)
            return [fault for _, fault in graphs.judge(Drivers(driver, driver, driver), folder, "graph", range(7, 8), 2)]

    def test_every_setting_is_judged(self) -> None:
        self.assertEqual(self.judge(RESULT), ["", ""])
        first, second = self.judge(RESULT ^ 1)
        self.assertIn("graph-7 --method dense", first)
        self.assertIn("result 0: 4 of 4 values differ", first)
        self.assertIn("result 0: 4 of 4 values differ", second)
        self.assertIn("expected int32(4,)", self.judge(RESULT[:, None])[0])

    def test_settings_begin_dense_and_are_fixed(self) -> None:
        chosen = graphs.settings(3, 12)
        self.assertEqual(chosen, graphs.settings(3, 12))
        self.assertEqual([setting.weights.method for setting in chosen].count("dense"), 2)
        self.assertEqual(chosen[0].weights.method, "dense")
        self.assertEqual(len({setting.weights for setting in chosen}), 10)


if __name__ == "__main__":
    unittest.main()
