//! Tensors of values, networks under test, and shared generators.

use dpu_isa::{Dtype, Machine, Program, Space};
use proptest::prelude::*;
use strum_plan::{BufferId, Draft, LayerScope, PlanError, Role, Source, Tensor, finish, to_program};

use super::{Memory, decode, encode, run};

/// A tensor of values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<u64>,
    pub(crate) data: Vec<i64>,
}

impl Values {
    /// Pseudorandom values from the whole range of the type, including small ones and the extremes.
    pub(crate) fn random(dtype: Dtype, shape: &[u64], seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let count = shape.iter().product::<u64>();
        let data = (0..count)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                match state % 8 {
                    0 => i64::from(dtype.min()),
                    1 => i64::from(dtype.max()),
                    2 => i64::from((state >> 8) as i8).clamp(dtype.min().into(), dtype.max().into()),
                    _ => decode(&encode((state >> 16) as i64, dtype), dtype),
                }
            })
            .collect();
        Values { dtype, shape: shape.to_vec(), data }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.data.iter().flat_map(|&v| encode(v, self.dtype)).collect()
    }

    /// The element at `index` of a shape to which this one broadcasts.
    pub(crate) fn at(&self, index: &[u64]) -> i64 {
        let skip = index.len() - self.shape.len();
        let flat = index[skip..]
            .iter()
            .zip(&self.shape)
            .fold(0, |flat, (&i, &n)| flat * n + if n == 1 { 0 } else { i });
        self.data[flat as usize]
    }

    pub(crate) fn build(dtype: Dtype, shape: &[u64], mut f: impl FnMut(&[u64]) -> i64) -> Self {
        let mut index = vec![0; shape.len()];
        let data = (0..shape.iter().product::<u64>())
            .map(|flat| {
                let mut rest = flat;
                for (i, n) in index.iter_mut().zip(shape).rev() {
                    *i = rest % n;
                    rest /= n;
                }
                decode(&encode(f(&index), dtype), dtype)
            })
            .collect();
        Values { dtype, shape: shape.to_vec(), data }
    }
}

/// A network under test: inputs with their values, and outputs with their expected values.
pub(crate) struct Case {
    pub(crate) draft: Draft,
    pub(crate) machine: Machine,
    pub(crate) inputs: Vec<Values>,
    pub(crate) outputs: Vec<Values>,
}

pub(crate) fn machine(sram: u64) -> Machine {
    let mut machine = Machine::flexnn_16x16();
    machine.sram_bytes = sram;
    machine
}

impl Case {
    pub(crate) fn new(machine: Machine) -> Self {
        Case { draft: Draft::new(), machine, inputs: Vec::new(), outputs: Vec::new() }
    }

    /// Plans a layer.
    pub(crate) fn plan(
        &mut self,
        f: impl FnOnce(&mut LayerScope<'_>) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        crate::layer::plan(&mut self.draft, &self.machine, f)
    }

    pub(crate) fn tensor(&mut self, dtype: Dtype, shape: &[u64], role: Role) -> Tensor {
        let id: BufferId = self.draft.tensor(Space::Dram, dtype, shape, role).unwrap();
        Tensor::of(&self.draft, id).unwrap()
    }

    pub(crate) fn input(&mut self, values: &Values) -> Tensor {
        let name = format!("in{}", self.inputs.len());
        self.inputs.push(values.clone());
        self.tensor(values.dtype, &values.shape, Role::Input { name })
    }

    pub(crate) fn output(&mut self, expected: &Values) -> Tensor {
        let name = format!("out{}", self.outputs.len());
        self.outputs.push(expected.clone());
        self.tensor(expected.dtype, &expected.shape, Role::Output { name })
    }

    pub(crate) fn scratch(&mut self, dtype: Dtype, shape: &[u64]) -> Tensor {
        self.tensor(dtype, shape, Role::Scratch)
    }

    pub(crate) fn program(&self) -> Program {
        let scheduled = finish(&self.draft, &self.machine).unwrap();
        assert!(scheduled.addresses.sram_bytes <= self.machine.sram_bytes);
        let program = to_program(&self.draft, scheduled, &self.machine, Source::default()).unwrap();
        // Only real machines validate: the tiny ones of these tests have less SRAM than the minimum.
        let mut valid = program.clone();
        valid.machine.sram_bytes = valid.machine.sram_bytes.max(65536);
        assert_eq!(valid.validate(), Ok(()));
        program
    }

    /// Runs in the order of each seed and compares.
    pub(crate) fn check(&self, seeds: &[u64]) {
        let program = self.program();
        for &seed in seeds {
            let mut memory = Memory::new(&program);
            for (desc, values) in program.inputs.iter().zip(&self.inputs) {
                memory.write(Space::Dram, desc.addr, &values.bytes());
            }
            run(&program, &mut memory, seed);
            for (desc, values) in program.outputs.iter().zip(&self.outputs) {
                let expected = values.bytes();
                let got = memory.read(Space::Dram, desc.addr, expected.len());
                let wrong = got.iter().zip(&expected).position(|(a, b)| a != b);
                assert_eq!(wrong, None, "{} differs, order {seed}, shape {:?}", desc.name, values.shape);
            }
        }
    }
}

/// Orders in which every case runs.
pub(crate) const SEEDS: &[u64] = &[0, 1, 2];

/// Shapes of all ranks, some with a long dimension.
pub(crate) fn shape() -> impl Strategy<Value = Vec<u64>> {
    // The last two have long dimensions somewhere.
    prop_oneof![
        prop::collection::vec(1u64..6, 1..=6),
        prop::collection::vec(1u64..4, 1..=6),
        (prop::collection::vec(1u64..4, 0..=3), 1u64..400).prop_map(|(mut s, n)| {
            s.push(n);
            s
        }),
        (prop::collection::vec(1u64..4, 1..=3), 1u64..200).prop_map(|(mut s, n)| {
            s.insert(0, n);
            s
        }),
    ]
}

/// Any element type.
pub(crate) fn dtype() -> impl Strategy<Value = Dtype> {
    prop::sample::select(Dtype::ALL)
}

/// SRAM sizes from the minimum for one element of each stream to ample.
pub(crate) fn sram() -> impl Strategy<Value = u64> {
    prop_oneof![500u64..900, 900u64..4000, Just(65536)]
}
