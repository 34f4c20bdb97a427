//! Origins of values: which tasks move only constants, and whether anyone needs what they move.
//!
//! A byte that is called constant here holds the same value in every run of the program in the same order of tasks.

use super::{CONSTANT, INPUT, NEVER, TaskId, position};

/// The purpose of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To compute with them, or to move them.
    Values,
    /// To read a weight table, which determines addresses.
    Table,
    /// To decode weights.
    Weights,
}

#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    /// Writes only what it reads, or what its fields specify.
    moves: bool,
    /// Has read something that is not constant.
    varies: bool,
    /// Its weight table is not constant.
    varying_table: bool,
    /// Its weights are not constant.
    varying_weights: bool,
    /// Its output is read in every run.
    needed: bool,
}

/// What is known of all tasks.
#[derive(Debug)]
pub(super) struct Origins {
    tasks: Vec<Origin>,
    /// Readers of constant weights or tables, and the writers of these.
    prepared: Vec<(TaskId, TaskId)>,
}

/// The parts that repeat in every run of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constancy {
    /// The task moves constants, and nobody reads them in a run in which all constant weights are prepared.
    pub(crate) idle: bool,
    /// The task's weight table is constant, if it has one.
    pub(crate) table: bool,
    /// The task's weights are constant, if it has any.
    pub(crate) weights: bool,
}

impl Origins {
    /// For a stream whose instruction `i` moves bytes without changing them, if `moves[i]`.
    pub(super) fn new(moves: impl Iterator<Item = bool>) -> Origins {
        let tasks = moves.map(|moves| Origin { moves, ..Origin::default() }).collect();
        Origins { tasks, prepared: Vec::new() }
    }

    fn task(&mut self, id: TaskId) -> Option<&mut Origin> {
        match id {
            NEVER | CONSTANT | INPUT => None,
            id => self.tasks.get_mut(position(id)),
        }
    }

    fn constant(&self, id: TaskId) -> bool {
        match id {
            CONSTANT => true,
            NEVER | INPUT => false,
            id => self.tasks.get(position(id)).is_some_and(|t| t.moves && !t.varies),
        }
    }

    /// The task `me` reads bytes that `writer` has written.
    pub(super) fn read(&mut self, me: TaskId, writer: TaskId, purpose: Purpose) {
        let constant = self.constant(writer);
        if constant && purpose != Purpose::Values {
            self.prepared.push((me, writer));
            return;
        }
        self.need(writer);
        if let (false, Some(task)) = (constant, self.task(me)) {
            task.varies = true;
            task.varying_table |= purpose == Purpose::Table;
            task.varying_weights |= purpose == Purpose::Weights;
        }
    }

    /// Marks the bytes of `writer` as needed.
    pub(super) fn need(&mut self, writer: TaskId) {
        if let Some(task) = self.task(writer) {
            task.needed = true;
        }
    }

    /// For every position in the stream, what repeats there; `prepared` are those whose weights are kept decoded.
    pub(super) fn finish(mut self, prepared: impl Fn(usize) -> bool) -> Vec<Constancy> {
        for (reader, writer) in std::mem::take(&mut self.prepared) {
            let varies = self.task(reader).is_none_or(|task| task.varying_table || task.varying_weights);
            if varies || !prepared(position(reader)) {
                self.need(writer);
            }
        }
        let constancy = |task: &Origin| Constancy {
            idle: task.moves && !task.varies && !task.needed,
            table: !task.varying_table,
            weights: !task.varying_weights,
        };
        self.tasks.iter().map(constancy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::task_id;
    use super::*;

    /// Tasks 0 and 1 move bytes, 2 and 3 do not.
    fn origins() -> Origins {
        Origins::new([true, true, false, false].into_iter())
    }

    fn idle(o: Origins) -> Vec<bool> {
        o.finish(|_| true).iter().map(|c| c.idle).collect()
    }

    #[test]
    fn a_copy_of_constants_is_idle_until_somebody_computes_with_it() {
        let mut o = origins();
        o.read(task_id(0), CONSTANT, Purpose::Values);
        o.read(task_id(1), CONSTANT, Purpose::Values);
        o.read(task_id(2), task_id(0), Purpose::Weights);
        o.read(task_id(3), task_id(1), Purpose::Values);
        assert_eq!(idle(o), [true, false, false, false]);
        let mut o = origins();
        o.read(task_id(2), task_id(0), Purpose::Weights);
        o.read(task_id(1), task_id(0), Purpose::Values);
        assert_eq!(idle(o), [false, true, false, false]);
    }

    #[test]
    fn who_decodes_weights_in_every_run_needs_the_copy() {
        let mut o = origins();
        o.read(task_id(2), task_id(0), Purpose::Weights);
        o.read(task_id(3), task_id(1), Purpose::Table);
        let found: Vec<_> = o.finish(|i| i == 2).iter().map(|c| c.idle).collect();
        assert_eq!(found, [true, false, false, false]);
    }

    #[test]
    fn copies_of_inputs_results_and_unwritten_bytes_are_no_constants() {
        for writer in [INPUT, NEVER, task_id(3)] {
            let mut o = origins();
            o.read(task_id(0), CONSTANT, Purpose::Values);
            o.read(task_id(0), writer, Purpose::Values);
            o.read(task_id(2), task_id(0), Purpose::Weights);
            let found = o.finish(|_| true);
            assert_eq!(found[0], Constancy { idle: false, table: true, weights: true }, "{writer}");
            assert_eq!(found[2], Constancy { idle: false, table: true, weights: false }, "{writer}");
        }
    }

    #[test]
    fn who_decodes_varying_weights_needs_the_constant_ones_too() {
        let mut o = origins();
        o.read(task_id(2), task_id(0), Purpose::Table);
        o.read(task_id(2), INPUT, Purpose::Weights);
        o.read(task_id(3), task_id(1), Purpose::Weights);
        assert_eq!(idle(o), [false, true, false, false]);
    }

    #[test]
    fn a_copy_that_varies_makes_a_table_vary() {
        let mut o = origins();
        o.read(task_id(0), INPUT, Purpose::Values);
        o.read(task_id(1), task_id(0), Purpose::Values);
        o.read(task_id(3), task_id(1), Purpose::Table);
        let found = o.finish(|_| true);
        assert!(found.iter().all(|c| !c.idle && c.weights));
        assert_eq!(found.iter().map(|c| c.table).collect::<Vec<_>>(), [true, true, true, false]);
    }
}
