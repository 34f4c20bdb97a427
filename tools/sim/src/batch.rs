//! Many samples through one program: the first is simulated in full, the others replay it.
//!
//! Order, times and hazards of a program follow from addresses, and those from its fields and weight tables; so they are the
//! same for every sample, as long as the tables are. Tasks are executed again in the recorded order, without clock and
//! checker. A sample whose tables or packed weights differ, or that faults, is simulated in full instead.
//!
//! The checker of the first run knows the writer of every byte that is read. Weights and tables that are copies of
//! constants are prepared once; a copy that serves nothing else is not repeated.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use dpu_isa::{Instr, Program, Space};

use crate::error::SimError;
use crate::exec::{Core, Expected, Trace, semantics};
use crate::hazard::{Checker, Constancy};
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::observe::{Dispatch, Observer, Task};
use crate::report::Report;

use strum_files::{FileError, budget};
use strum_tensors::{SampleOutputs, Samples, Tensor, TensorView, tensor_bytes};

use crate::threads::Threads;
use crate::{Options, RunResult, io_range, load_inputs, run_core, simulate};

/// The recording of the first sample's run.
pub struct Recording<'p> {
    program: &'p Program,
    options: Options,
    kernel: Option<Kernel>,
    /// The tasks that have to be executed again, in start order.
    order: Vec<usize>,
    /// What is known of the convolutions, in that order; `None` if nothing is certain.
    expected: Option<Arc<[Expected]>>,
    /// Whether memory must be reinitialized for every sample.
    renew: bool,
    /// The memories of the recorded run, for the first replayer.
    spare: Mutex<Option<Memory>>,
}

/// Records task starts.
struct Order<'o, 'i> {
    order: Vec<usize>,
    other: &'o mut [&'i mut dyn Observer],
}

impl Observer for Order<'_, '_> {
    fn dispatch(&mut self, event: &Dispatch) {
        self.other.iter_mut().for_each(|o| o.dispatch(event));
    }

    fn task(&mut self, task: &Task<'_>) {
        self.order.push(task.index);
        self.other.iter_mut().for_each(|o| o.task(task));
    }
}

impl<'p> Recording<'p> {
    /// Simulates the first sample in full, and records what the others need.
    ///
    /// # Errors
    /// Those of [`simulate`].
    pub fn new(
        program: &'p Program,
        inputs: &[TensorView<'_>],
        options: &Options,
        observers: &mut [&mut dyn Observer],
    ) -> Result<(Recording<'p>, RunResult), SimError> {
        let mut order = Order { order: Vec::new(), other: observers };
        let (result, mut core, checker) = run_core(program, inputs, options, &mut [&mut order])?;
        // No invariant has an operand in DRAM.
        let writes_constants = program.instrs.iter().flat_map(|instr| instr.footprint(None)).any(|access| {
            access.write && access.space == Space::Dram && access.lo < program.consts.len() as u64
        });
        let renew = writes_constants || !options.checks;
        let (order, trace) = (order.order, core.take_trace());
        let constant = constancy(program, checker, &order, &trace)?;
        let of = |index: &usize| constant.get(*index).copied().unwrap_or_default();
        let expected = convolutions(program, &order).zip(&trace).map(|(i, t)| Expected::of(t, of(i)));
        let recording = Recording {
            program,
            options: Options { pe_trace: None, ..options.clone() },
            kernel: Kernel::of(options.kernel).map_err(SimError::Host)?,
            expected: expected.collect(),
            order: order.iter().copied().filter(|i| !of(i).idle).collect(),
            renew,
            spare: Mutex::new((!renew).then_some(core.memory)),
        };
        Ok((recording, result))
    }

    /// A machine that replays the recording on one thread. It has separate memories, so that several can work in
    /// parallel.
    ///
    /// # Errors
    /// When the host lacks the memory.
    pub fn replayer(&self) -> Result<Replayer<'_>, SimError> {
        self.replayer_on(1)
    }

    /// As [`Recording::replayer`], with this many threads sharing the large tasks of a sample.
    ///
    /// # Errors
    /// When the host lacks the memory or cannot create the threads.
    pub fn replayer_on(&self, threads: usize) -> Result<Replayer<'_>, SimError> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (memory, fresh) = match spare {
            Some(memory) => (memory, false),
            None => (Memory::new(self.program, self.options.max_memory)?, true),
        };
        // Only kernels are shared.
        let threads = if self.kernel.is_some() { threads } else { 1 };
        let core = Core::new(memory, self.kernel).with_threads(threads);
        let core = core.with_profile(self.options.profile.as_ref());
        Ok(Replayer { recording: self, core, fresh, pool: Threads::new(threads)? })
    }

    /// `None` if this sample differs from the recorded one.
    fn replay(
        &self,
        inputs: &[TensorView<'_>],
        core: &mut Core,
        fresh: &mut bool,
    ) -> Result<Option<Vec<Tensor>>, SimError> {
        let Recording { program, options, order, expected, renew, .. } = self;
        let Some(expected) = expected else { return Ok(None) };
        if *renew && !*fresh {
            // The old one is freed first: there may be room for only one.
            core.memory = Memory::none(program);
            core.memory = Memory::new(program, options.max_memory)?;
        }
        *fresh = false;
        load_inputs(program, inputs, core, None)?;
        core.expect(expected);
        for &index in order {
            let Some(task) = program.instrs.get(index).and_then(semantics) else { continue };
            if core.execute(index, task).is_err() {
                // The full run will report the location and time.
                return Ok(None);
            }
        }
        if !core.met_expectations() {
            return Ok(None);
        }
        let dram = core.memory.space(Space::Dram, 0).map_err(|f| SimError::Program(f.detail))?;
        let outputs = program.outputs.iter().map(|desc| {
            let data = dram.get(io_range(program, desc, "output")?).unwrap_or_default().to_vec();
            Ok(Tensor { dtype: desc.dtype, shape: desc.shape.clone(), data })
        });
        outputs.collect::<Result<_, SimError>>().map(Some)
    }
}

/// The convolutions among tasks.
fn convolutions<'a>(program: &Program, order: &'a [usize]) -> impl Iterator<Item = &'a usize> {
    order.iter().filter(|&&index| matches!(program.instrs.get(index), Some(Instr::ConvVar(_))))
}

/// What repeats in every run, per instruction; nothing is known if the run was not checked.
fn constancy(
    program: &Program,
    checker: Option<Checker>,
    order: &[usize],
    trace: &[Trace],
) -> Result<Vec<Constancy>, SimError> {
    let Some(checker) = checker else { return Ok(Vec::new()) };
    let outputs = program.outputs.iter().map(|desc| io_range(program, desc, "output"));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    let mut prepared = vec![false; program.instrs.len()];
    for (&index, trace) in convolutions(program, order).zip(trace) {
        if let (Some(prepared), Trace::Layer(_)) = (prepared.get_mut(index), trace) {
            *prepared = true;
        }
    }
    let prepared = |index| prepared.get(index).is_some_and(|&p| p);
    Ok(checker.into_constancy(outputs.into_iter(), prepared))
}

/// Replays a recording for further samples.
pub struct Replayer<'r> {
    recording: &'r Recording<'r>,
    core: Core,
    /// Whether the memories are in their initial state.
    fresh: bool,
    pool: Threads,
}

impl Replayer<'_> {
    /// The outputs of one sample, in descriptor order.
    ///
    /// # Errors
    /// Those of [`simulate`].
    pub fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, SimError> {
        let Recording { program, options, .. } = self.recording;
        let Replayer { recording, core, fresh, pool } = self;
        let replayed = pool.run(|| match &options.profile {
            Some(profile) => profile.time_sample(|| recording.replay(inputs, core, fresh)),
            None => recording.replay(inputs, core, fresh),
        });
        if let Some(outputs) = replayed? {
            return Ok(outputs);
        }
        let options = Options { threads: self.pool.count(), ..options.clone() };
        simulate(program, inputs, &options).map(|result| result.outputs)
    }
}

/// Samples that a thread computes between two writes of outputs.
const ROUND: usize = 8;

/// Why a batch stopped.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A sample could not be simulated.
    #[error("sample {sample}: {error}")]
    Sample {
        /// Its number, from 0.
        sample: u64,
        /// Why.
        error: SimError,
    },
}

/// How the samples of a batch depend on each other: each input that is a state, with the output that has its next value.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    states: Vec<(usize, usize)>,
}

impl Sequence {
    /// The states of a program; none if every sample begins anew.
    #[must_use]
    pub fn of(program: &Program, anew: bool) -> Sequence {
        let states = program.inputs.iter().enumerate().filter(|_| !anew);
        let states = states.filter_map(|(input, desc)| Some((input, desc.meaning.state?.output as usize)));
        Sequence { states: states.collect() }
    }

    /// Whether no sample depends on another.
    #[must_use]
    pub fn is_independent(&self) -> bool {
        self.states.is_empty()
    }

    /// Makes the previous sample's outputs the states of the next.
    pub fn carry(&self, outputs: &[Tensor], inputs: &mut [Tensor]) {
        for &(input, output) in &self.states {
            if let (Some(state), Some(next)) = (inputs.get_mut(input), outputs.get(output)) {
                state.clone_from(next);
            }
        }
    }
}

/// Runs all samples on the threads of `options`, and writes their outputs in order. `done` receives the number of finished
/// samples.
///
/// Threads share the samples; the first sample, the samples of a sequence with states, and batches smaller than the number of
/// threads, use several threads per sample.
///
/// The report is that of the first sample, with the number of samples. Outputs and errors do not depend on the number of threads:
/// of several failing samples, the first is reported.
///
/// # Errors
/// When files fail, and when a sample cannot be simulated.
pub fn run_batch(
    program: &Program,
    options: &Options,
    observers: &mut [&mut dyn Observer],
    sequence: &Sequence,
    (samples, outputs): (&mut Samples, &mut SampleOutputs),
    done: &dyn Fn(u64),
) -> Result<Report, BatchError> {
    let at = |sample| move |error| BatchError::Sample { sample, error };
    let first = samples.read(0)?;
    let views: Vec<_> = first.iter().map(Tensor::view).collect();
    let jobs = options.threads.max(1);
    let options = Options { threads: jobs, ..options.clone() };
    let (recording, result) = Recording::new(program, &views, &options, observers).map_err(at(0))?;
    outputs.put(&result.outputs)?;
    done(1);
    if !sequence.is_independent() {
        run_sequence(&recording, sequence, result.outputs, (samples, outputs), done)?;
        return Ok(Report { samples: samples.count(), ..result.report });
    }
    let rest = usize::try_from(samples.count() - 1).unwrap_or(usize::MAX);
    let count = jobs.min(rest);
    let mut replayers = Vec::new();
    for number in 0..count {
        // The remaining ones go to the first samples.
        let threads = jobs / count + usize::from(number < jobs % count);
        replayers.push(recording.replayer_on(threads).map_err(at(1))?);
    }
    if count > 0 {
        let tensors = program.inputs.iter().chain(&program.outputs);
        let bytes = tensors.map(|desc| tensor_bytes(desc.dtype, &desc.shape).unwrap_or(u64::MAX));
        let sample = bytes.fold(0, u64::saturating_add);
        let needed = sample.saturating_mul((count * ROUND).min(rest) as u64);
        let over = |over| BatchError::Sample { sample: 1, error: SimError::Memory(over) };
        budget::check("samples between two writes of outputs", needed).map_err(over)?;
    }
    let mut next = 1;
    while next < samples.count() {
        let end = samples.count().min(next + (count * ROUND) as u64);
        let inputs: Vec<Vec<Tensor>> = (next..end).map(|i| samples.read(i)).collect::<Result<_, _>>()?;
        let part = inputs.len().div_ceil(count).max(1);
        let results: Vec<Vec<Result<Vec<Tensor>, SimError>>> = thread::scope(|scope| {
            let parts = inputs.chunks(part).zip(&mut replayers);
            let threads: Vec<_> = parts
                .map(|(inputs, replayer)| {
                    scope.spawn(move || {
                        let run = |inputs: &Vec<Tensor>| {
                            let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
                            replayer.run(&views)
                        };
                        inputs.iter().map(run).collect()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
        });
        for result in results.into_iter().flatten() {
            outputs.put(&result.map_err(at(next))?)?;
            next += 1;
        }
        done(next);
    }
    Ok(Report { samples: samples.count(), ..result.report })
}

/// Runs the samples after the first, each on the states that the one before it left.
fn run_sequence(
    recording: &Recording<'_>,
    sequence: &Sequence,
    mut last: Vec<Tensor>,
    (samples, outputs): (&mut Samples, &mut SampleOutputs),
    done: &dyn Fn(u64),
) -> Result<(), BatchError> {
    let at = |sample| move |error| BatchError::Sample { sample, error };
    let mut replayer = recording.replayer_on(recording.options.threads).map_err(at(1))?;
    for sample in 1..samples.count() {
        let mut inputs = samples.read(sample)?;
        sequence.carry(&last, &mut inputs);
        let views: Vec<_> = inputs.iter().map(Tensor::view).collect();
        last = replayer.run(&views).map_err(at(sample))?;
        outputs.put(&last)?;
        done(sample + 1);
    }
    Ok(())
}
