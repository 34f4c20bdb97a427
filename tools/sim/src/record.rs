//! Files that a run writes besides its outputs: the report with its timeline, and the trace.
//!
//! Both are opened before the run and appear whole after it, or not at all.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use dpu_isa::{Machine, Program};
use strum_files::{FileError, Staged, check_distinct};

use crate::observe::{Dispatch, Observer, Task};
use crate::report::{Report, TimelineRecorder};
use crate::trace::TraceWriter;

/// Records a run into files.
pub struct RunFiles<'p> {
    report: Option<(Staged, TimelineRecorder<'p>)>,
    trace: Option<(PathBuf, TraceWriter<'p, BufWriter<Staged>>)>,
}

impl<'p> RunFiles<'p> {
    /// Prepares the requested files. `machine` is the one that sets the times.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn create(
        program: &'p Program,
        machine: &Machine,
        report: Option<&Path>,
        trace: Option<&Path>,
    ) -> Result<Self, FileError> {
        let named = report.map(|path| ("--report", path)).into_iter();
        check_distinct(named.chain(trace.map(|path| ("--trace", path))))?;
        let report = report.map(|path| Ok((Staged::create(path)?, TimelineRecorder::new(program))));
        let trace = trace.map(|path| {
            let out = BufWriter::new(Staged::create(path)?);
            Ok((path.to_owned(), TraceWriter::new(program, machine, out)))
        });
        Ok(RunFiles { report: report.transpose()?, trace: trace.transpose()? })
    }

    /// Completes the files of a finished run; the report gets its timeline if there is a report file.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn commit(self, report: &mut Report) -> Result<(), FileError> {
        let trace = self.trace.map(|(path, trace)| {
            let io = |error| FileError::Io { path, error };
            let staged = trace.finish(report).and_then(|out| out.into_inner().map_err(|e| e.into_error()));
            staged.map_err(io)
        });
        let trace = trace.transpose()?;
        if let Some((mut staged, timeline)) = self.report {
            report.timeline = Some(timeline.finish());
            let json = report
                .to_json()
                .map_err(|error| FileError::Io { path: staged.path().to_owned(), error: error.into() })?;
            staged.put(json.as_bytes())?;
            staged.put(b"\n")?;
            staged.commit()?;
        }
        trace.map_or(Ok(()), Staged::commit)
    }
}

impl Observer for RunFiles<'_> {
    fn dispatch(&mut self, event: &Dispatch) {
        if let Some((_, timeline)) = &mut self.report {
            timeline.dispatch(event);
        }
        if let Some((_, trace)) = &mut self.trace {
            trace.dispatch(event);
        }
    }

    fn task(&mut self, task: &Task<'_>) {
        if let Some((_, timeline)) = &mut self.report {
            timeline.task(task);
        }
        if let Some((_, trace)) = &mut self.trace {
            trace.task(task);
        }
    }
}
