//! Energy of cells and small circuits, computed by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod tiny;

use dpu_rtl::liberty::Library;
use dpu_rtl::power::{Conditions, Energy, Power, simulate};
use dpu_rtl::stimulus::{Cycle, InputPort, Stimulus};
use dpu_rtl::synth::Mapped;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::{collection, sample::Index};
use tiny::{TINY, bits, library, mapped};

fn conditions(wire_ff: f64) -> Conditions {
    Conditions { period_ps: 1000.0, slew_ps: Some(20.0), wire_ff, ..Conditions::default() }
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "found {found}, expected {expected}");
}

fn check(energy: Energy, clock: f64, switching: f64, internal: f64) {
    close(energy.clock_fj, clock);
    close(energy.switching_fj, switching);
    close(energy.internal_fj, internal);
}

fn energy(mapped: &Mapped, library: &Library, values: &[u64], wire_ff: f64) -> Power {
    simulate(mapped, library, &bits(values), &conditions(wire_ff)).unwrap()
}

#[test]
fn an_inverter_costs_its_tables_and_its_input_net() {
    let library = library(TINY);
    let top = mapped(&library, &[("a", &[3])], &[("u", "INV", &[3], &[4])], 5);
    let power = energy(&top, &library, &[1, 0, 1, 0], 0.5);
    // The input falls and rises twice, 2.5 fF at 2 fJ a fF; the output without load falls twice (4 fJ) and rises twice (3 fJ).
    check(power.energy, 0.0, 5.0, 3.5);
    assert_eq!(power.transitions, 4 + 4 + 8, "four of each net, and eight edges of a clock without sinks");
    // 3 nW over 1000 ps.
    close(power.energy.leakage_fj, 0.003);
    close(power.leakage_nw, 3.0);
}

#[test]
fn two_inverters_charge_the_wire_between_them() {
    let library = library(TINY);
    let cells: &[(&str, &str, &[u32], &[u32])] = &[("u", "INV", &[3], &[4]), ("v", "INV", &[4], &[5])];
    let top = mapped(&library, &[("a", &[3])], cells, 6);
    let power = energy(&top, &library, &[1, 0], 3.0);
    // Load between them 2 + 3 fF: u takes 4 + 1 fJ falling and 3 + 1 rising, v 3 and 4. Both nets have 5 fF.
    check(power.energy, 0.0, (10.0 + 10.0) * 2.0 / 2.0, (5.0 + 4.0 + 3.0 + 4.0) / 2.0);
}

#[test]
fn a_toggling_flip_flop_costs_two_clock_edges_a_cycle() {
    let library = library(TINY);
    let cells: &[(&str, &str, &[u32], &[u32])] = &[("u", "INV", &[4], &[5]), ("r", "DFF", &[2, 5], &[4])];
    let top = mapped(&library, &[("a", &[3])], cells, 6);
    let power = energy(&top, &library, &[0, 0, 0, 0], 0.0);
    // Each cycle: clock net of 4 fF twice, clock pin 11 and 13. Q drives 2 fF, D 1 fF.
    // Q rises (17), D falls (inverter at 1 fF: 4.2, pin 0.25); next cycle Q falls (17), D rises (3.2, pin 0.5).
    check(power.energy, 2.0 * 8.0 + 11.0 + 13.0, 4.0 + 2.0, 17.0 + f64::midpoint(4.2 + 0.25, 3.2 + 0.5));
}

#[test]
fn a_pulse_shorter_than_the_delay_is_swallowed_and_a_longer_one_is_not() {
    let library = library(TINY);
    // The two inputs of the gate differ but for the delay of the inverter: 22 ps to rise at 2 fF, 17 to fall.
    let cells: &[(&str, &str, &[u32], &[u32])] = &[("u", "INV", &[3], &[4]), ("x", "XOR2", &[3, 4], &[5])];
    let top = mapped(&library, &[("a", &[3])], cells, 6);
    let glitches = |wire_ff: f64, glitches: bool| {
        let conditions = Conditions { glitches, ..conditions(wire_ff) };
        let power = simulate(&top, &library, &bits(&[1, 0]), &conditions).unwrap();
        power.transitions - 2 - 2 - 4
    };
    assert_eq!(glitches(0.0, true), 0, "pulses of 17 and 22 ps at a gate of 30 ps");
    assert_eq!(glitches(20.0, true), 4, "pulses of 37 and 42 ps");
    assert_eq!(glitches(20.0, false), 0, "no delays, no glitches");
}

#[test]
fn conditions_choose_the_table() {
    let library = library(TINY);
    let top = mapped(&library, &[("a", &[3]), ("b", &[4])], &[("x", "XOR2", &[3, 4], &[5])], 6);
    let cycle = |a, b| Cycle { words: vec![a, b], expect: Some(0) };
    let stimulus = |cycles: Vec<Cycle>| Stimulus {
        ports: vec![InputPort { name: "a".into(), bits: 1 }, InputPort { name: "b".into(), bits: 1 }],
        steps: 1,
        cycles,
    };
    let internal =
        |cycles| simulate(&top, &library, &stimulus(cycles), &conditions(0.0)).unwrap().energy.internal_fj;
    // A rises and falls while B is 0: 1000 and 2000; B rises: 7; A then makes the output fall at B: 200.
    close(internal(vec![cycle(1, 0), cycle(0, 0)]), 3000.0);
    close(internal(vec![cycle(0, 1), cycle(1, 1), cycle(0, 1)]), 7.0 + 200.0 + 100.0);
}

#[test]
fn supplies_add_and_inputs_that_change_at_once_are_taken_one_by_one() {
    let library = library(TINY);
    let top = mapped(&library, &[("a", &[3, 4])], &[("u", "AND2", &[3, 4], &[5])], 6);
    let internal = |words: &[u64]| {
        let ports = vec![InputPort { name: "a".into(), bits: 2 }];
        let stimulus = Stimulus { ports, steps: 1, ..bits(words) };
        simulate(&top, &library, &stimulus, &conditions(0.0)).unwrap().energy.internal_fj
    };
    close(internal(&[0b10, 0b11, 0b10]), 5.5 + 6.25);
    close(internal(&[0b01, 0b11, 0b01]), 8.0 + 9.0);
    // Both fall: A at the old value of B.
    close(internal(&[0b10, 0b11, 0b00]), 5.5 + 6.25);
}

#[test]
fn nets_with_more_load_than_their_driver_may_have_are_counted() {
    let text = TINY.replace(
        "direction : output; function : \"!A\";",
        "direction : output; function : \"!A\"; max_capacitance : 4;",
    );
    let library = library(&text);
    let cells: &[(&str, &str, &[u32], &[u32])] = &[("u", "INV", &[3], &[4]), ("v", "INV", &[4], &[5])];
    let top = mapped(&library, &[("a", &[3])], cells, 6);
    assert_eq!(energy(&top, &library, &[1], 2.0).overloaded_nets, 0);
    assert_eq!(energy(&top, &library, &[1], 2.1).overloaded_nets, 1);
}

#[test]
fn leading_cycles_can_be_left_out() {
    let library = library(TINY);
    let top = mapped(&library, &[("a", &[3])], &[("u", "INV", &[3], &[4])], 5);
    let stimulus = Stimulus { steps: 1, ..bits(&[1, 0]) };
    let conditions = Conditions { skip_cycles: 1, ..conditions(0.0) };
    let power = simulate(&top, &library, &stimulus, &conditions).unwrap();
    assert_eq!(power.cycles, 1);
    check(power.energy, 0.0, 4.0, 3.0);
    assert_eq!(power.overloaded_nets, 0);
}

#[test]
fn the_slew_is_that_of_an_inverter_with_four_loads_unless_given() {
    let library = library(TINY);
    let top = mapped(&library, &[("a", &[3])], &[("u", "INV", &[3], &[4])], 5);
    let power = simulate(&top, &library, &bits(&[1]), &Conditions::default()).unwrap();
    assert_eq!(power.conditions.slew_ps, Some(20.0));
    // Half of the inverter's 2 fF.
    close(library.typical_wire_ff().unwrap(), 1.0);
}

/// A gate of a random netlist: its kind, and two nets before its own.
type Random = (usize, Index, Index);

/// The nets that a gate takes when there are `count`: not the clock, net 2.
fn taken((_, a, b): &Random, count: usize) -> [usize; 2] {
    [a, b].map(|net| match net.index(count) {
        2 => 3,
        net => net,
    })
}

/// The settled values of all nets.
fn settled(gates: &[Random], word: u8) -> Vec<bool> {
    let inputs = (0..8).map(|bit| word >> bit & 1 == 1);
    let mut nets: Vec<bool> = [false, true, false].into_iter().chain(inputs).collect();
    for gate in gates {
        let [a, b] = taken(gate, nets.len()).map(|net| nets[net]);
        nets.push([a ^ b, a & b, !a][gate.0]);
    }
    nets
}

proptest! {
    #[test]
    fn gates_settle_on_what_their_functions_say(
        gates in collection::vec((0..3usize, any::<Index>(), any::<Index>()), 32..80),
        words in collection::vec(any::<u8>(), 1..20),
        wire_ff in 0.0..30.0,
        glitches: bool,
    ) {
        let library = library(TINY);
        let net = |net: usize| u32::try_from(net).unwrap();
        let count = 11 + gates.len();
        let names: Vec<String> = (11..count).map(|number| format!("g{number}")).collect();
        let pins: Vec<_> = gates.iter().enumerate().map(|(at, gate)| (taken(gate, 11 + at).map(net), [net(11 + at)])).collect();
        let cells: Vec<(&str, &str, &[u32], &[u32])> = gates.iter().zip(&names).zip(&pins).map(|((gate, name), (pins, out))| {
            let inputs = if gate.0 == 2 { &pins[..1] } else { &pins[..] };
            (name.as_str(), ["XOR2", "AND2", "INV"][gate.0], inputs, &out[..])
        }).collect();
        let inputs: Vec<u32> = (3..11).collect();
        let mut top = mapped(&library, &[("a", &inputs)], &cells, net(count));
        top.ports[1].bits = (net(count - 32)..net(count)).collect();
        let expect = |word| settled(&gates, word).iter().rev().take(32).fold(0, |sum, &bit| sum << 1 | u32::from(bit));
        let stimulus = Stimulus {
            ports: vec![InputPort { name: "a".into(), bits: 8 }],
            cycles: words.iter().map(|&w| Cycle { words: vec![u64::from(w)], expect: Some(expect(w)) }).collect(),
            steps: 1,
        };
        let conditions = Conditions { glitches, ..conditions(wire_ff) };
        let power = simulate(&top, &library, &stimulus, &conditions).unwrap();
        let least = [0].iter().chain(&words).zip(&words).map(|(&before, &now)| {
            let changed = settled(&gates, before).into_iter().zip(settled(&gates, now)).filter(|(a, b)| a != b);
            // Both edges of the clock.
            changed.count() as u64 + 2
        }).sum::<u64>();
        if glitches {
            prop_assert!(power.transitions >= least && (power.transitions - least).is_multiple_of(2));
        } else {
            prop_assert_eq!(power.transitions, least);
        }
    }
}

#[test]
fn no_energy_is_given_of_what_cannot_be_checked() {
    let library = library(TINY);
    let top = mapped(&library, &[("a", &[3])], &[("u", "INV", &[3], &[4])], 5);
    let fail = |top: &Mapped, stimulus: &Stimulus, conditions: &Conditions| {
        simulate(top, &library, stimulus, conditions).unwrap_err().to_string()
    };
    let plain = conditions(0.0);
    let mut wrong = bits(&[0, 1]);
    wrong.cycles[1].expect = Some(0xC0DE);
    assert_eq!(
        fail(&top, &wrong, &plain),
        "cycle 1: acc_out is 0x00000000, expected 0x0000c0de; no energy of a wrong netlist is given"
    );
    let mut silent = bits(&[0, 1]);
    silent.cycles.iter_mut().for_each(|cycle| cycle.expect = None);
    assert_eq!(
        fail(&top, &silent, &plain),
        "no cycle of the stimulus says what the accumulator must hold, so the netlist cannot be checked"
    );
    let mut narrow = top.clone();
    narrow.ports[1].bits.truncate(8);
    assert_eq!(
        fail(&narrow, &bits(&[0]), &plain),
        "the stimulus expects values of output port 'acc_out', of which module 'top' has 8 bits, not 32"
    );
    let mut unclocked = top.clone();
    unclocked.ports.remove(0);
    assert_eq!(fail(&unclocked, &bits(&[0]), &plain), "module 'top' has no input port 'clk' of one bit");
    let mut foreign = top.clone();
    foreign.library.push('0');
    assert_eq!(
        fail(&foreign, &bits(&[0]), &plain),
        "the design was mapped to another library than the one given; map it again"
    );
    let wide = Stimulus { ports: vec![InputPort { name: "a".into(), bits: 9 }], ..bits(&[0]) };
    assert_eq!(fail(&top, &wide, &plain), "input port 'a': the design has 1 bits, the stimulus 9");
    let none = Stimulus { ports: Vec::new(), ..bits(&[0]) };
    assert_eq!(fail(&top, &none, &plain), "input port 'a': the design has 1 bits, the stimulus 0");
    let mut short = bits(&[0, 0]);
    short.cycles[1].words.clear();
    assert_eq!(fail(&top, &short, &plain), "cycle 1 of the stimulus has 0 words, expected 1");
    let idle = Stimulus { steps: 0, ..bits(&[0]) };
    assert_eq!(fail(&top, &idle, &plain), "the stimulus has no steps, so the energy per step is undefined");
    let skip = Conditions { skip_cycles: 2, ..plain.clone() };
    assert_eq!(fail(&top, &bits(&[0, 0]), &skip), "2 cycles are to be skipped, but the stimulus has 2");
    let frozen = Conditions { period_ps: 0.0, ..plain.clone() };
    assert_eq!(fail(&top, &bits(&[0]), &frozen), "the period must be more than 0, got 0");
    let negative = Conditions { wire_ff: -1.0, ..plain.clone() };
    assert_eq!(fail(&top, &bits(&[0]), &negative), "the wire capacitance must be 0 or more, got -1");
    let cells: &[(&str, &str, &[u32], &[u32])] = &[("x", "XOR2", &[3, 4], &[5]), ("u", "INV", &[5], &[4])];
    let ring = mapped(&library, &[("a", &[3])], cells, 6);
    assert_eq!(
        fail(&ring, &bits(&[1]), &plain),
        "cycle 0: the logic does not settle; the netlist has a loop that oscillates"
    );
}
