//! Assembler text: what is accepted beyond the canonical form, and the positions of errors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use dpu_isa::testing::{Rng, random_program};
use dpu_isa::{BarCfg, InstrMeta, Machine, asm};

/// A small program around lines of code.
fn source(code: &str) -> String {
    let machine = Machine::flexnn_16x16().to_toml();
    format!(".dpu 1\n.machine\n{machine}\n.end\n.dram 4096\n.code\n{code}\n")
}

/// The error of a text whose faulty position is marked by `§`, which is removed; empty `part` accepts any
/// message.
#[track_caller]
fn fails(marked: &str, part: &str) {
    let at = marked.find('§').expect("a mark");
    let before = &marked[..at];
    let (line, col) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let error = asm::parse(&marked.replacen('§', "", 1)).expect_err("must be refused");
    assert!(error.msg.contains(part), "{error}");
    assert_eq!((error.line, error.col), (line, col), "{error}");
}

#[track_caller]
fn code_fails(marked: &str, part: &str) {
    fails(&source(marked), part);
}

#[test]
fn free_form() {
    let text = source(
        "# a comment\r\n\tbar_cfg   consumers = 0x1 barrier=2 producers= 1 # behind\n\n.at layer=none loc=7\nend\n\
         .const 3\n 00Ff # two\n\n# between\n 10 \n",
    );
    let program = asm::parse(&text).expect("parses");
    assert_eq!(program.instrs[0], BarCfg { barrier: 2, producers: 1, consumers: 1 }.into());
    assert_eq!(program.meta[1], InstrMeta { layer: InstrMeta::NONE, loc: 7 });
    assert_eq!(program.consts, [0, 0xff, 0x10]);
    assert_eq!(program.machine, Machine::flexnn_16x16());
}

#[test]
fn tile_and_masks_have_defaults() {
    let fill =
        "dma_fill engine=0 element=1 dst=dram:0x40 dims=[1,1,1,1,1,8] dst_strides=[0,0,0,0,0,1] value=-1";
    let full = fill.replace("dma_fill", "dma_fill tile=0 wait={} post={}");
    assert_eq!(asm::parse_instr(fill), asm::parse_instr(&full));
    assert_eq!(asm::parse_instr(fill).expect("parses").to_string(), full);
    let error =
        asm::parse_instr("bar_cfg barrier=0 producers=1 consumers=0 end").expect_err("two instructions");
    assert_eq!(error.to_string(), "1:43: bar_cfg has no field 'end'");
}

#[test]
fn instructions() {
    code_fails("  §frob x=1", "unknown instruction 'frob' (there are: bar_cfg, end, dma_copy");
    code_fails("  §=", "expected an instruction, found '='");
    code_fails("bar_cfg barrier=§64 producers=1 consumers=1", "field 'barrier': value 64 is outside 0..=63");
    code_fails("bar_cfg barrier=1 producers=§-1 consumers=1", "value -1 is outside 1..=65535");
    code_fails("bar_cfg barrier=§x producers=1 consumers=1", "expected a number, found 'x'");
    code_fails("bar_cfg barrier=§0x producers=1 consumers=1", "expected a number, found '0x'");
    code_fails("bar_cfg barrier=§18446744073709551616", "does not fit 64 bits");
    code_fails("bar_cfg barrier=§9223372036854775808", "out of range");
    code_fails("  §bar_cfg barrier=1 producers=1", "bar_cfg lacks the field 'consumers'");
    code_fails("bar_cfg barrier=1 §barrier=1 producers=1 consumers=1", "field 'barrier' is given twice");
    code_fails("bar_cfg §size=1", "bar_cfg has no field 'size'");
    code_fails("bar_cfg barrier§", "expected '=', found the end of the line");
    code_fails("§bar_cfg # barrier=1", "lacks the field 'barrier'");
}

#[test]
fn values() {
    code_fails("dma_fill wait={§64}", "a barrier is at most 63");
    code_fails("dma_fill wait={3,§3}", "barrier 3 is given twice");
    code_fails("dma_fill wait={3§;4}", "expected ',', found ';'");
    code_fails("dma_fill wait=§3", "expected '{', found '3'");
    code_fails("dma_fill element=§3", "value 3 is none of [1, 2, 4]");
    code_fails("dma_fill dst=§rom:0", "expected one of dram, sram, found 'rom'");
    code_fails("dma_fill dst=dram:§0x10000000000", "does not fit 40 bits");
    code_fails("dma_fill dims=[1,1,1,1,1§]", "expected ',', found ']'");
    code_fails("dma_fill dims=[1,1,1,1,1,1§,1]", "expected ']', found ','");
    code_fails("dma_fill dims=[1,§0,1,1,1,1]", "field 'dims': value 0 is outside");
    code_fails("conv_inv method=§ternary", "expected one of dense, sparse, dliq, mip2q");
    code_fails("conv_inv lut=§1", "expected one of false, true, found '1'");
    code_fails("conv_inv lut_addr=§8", "offset 0x8 is not a multiple of 16");
}

#[test]
fn directives() {
    fails("§.dram 1", "the first directive must be '.dpu 1' or '.dpu 2'");
    fails("# leading\n.dpu §3", "wrong version 3");
    fails(".dpu 1\n§.dpu 1", "'.dpu' is given twice");
    fails(".dpu 1\n§end", "expected a directive");
    fails(".dpu 1\n§.frob", "unknown directive '.frob'");
    fails(".dpu 1 §x", "expected the end of the line");
    fails(".dpu 1\n§.at layer=0 loc=0", "only possible inside '.code'");
    fails(".dpu 1\n.code\n.at layer=§4294967295 loc=0", "reserved");
    fails(".dpu 1\n§.machine\nname = \"x\"\n", "has no '.end'");
    fails(".dpu 1\n§.machine\nname = \"x\"\n.end\n", "not a machine file: ");
    fails(".dpu 1\n.manifest tool=§x", "expected a string, found 'x'");
    fails(".dpu 1\n.manifest §pipeline=", "expected 'tool='");
    fails(".dpu 1\n.loc §1 \"a\"", "number 1 is out of order, expected 0");
    fails(".dpu 1\n.loc 0 §\"a", "unterminated string");
    fails(".dpu 1\n.loc 0 \"ä§\\q\"", "unknown escape");
    fails(".dpu 1\n.loc 0 \"§\\u{d800}\"", "unknown escape");
    fails(".dpu 1\n.input \"x\" §f32 [1] at 0", "expected one of i8, u8, i16, u16, i32, found 'f32'");
    fails(".dpu 1\n.input \"x\" i8 [1 §2] at 0", "expected ',', found '2'");
    fails(".dpu 1\n.input \"x\" i8 [1] §to 0", "expected 'at', found 'to'");
    fails(".dpu 1\n.dram §-1", "out of range");
}

#[test]
fn constants() {
    code_fails(".const 2\n  01§0", "a byte has two hex digits");
    code_fails(".const 2\n  01§0x", "expected two hex digits");
    code_fails(".const 2\n  §zz", "expected hex digits or a directive");
    code_fails("§.const 2\n  01\n", "'.const' announces 2 bytes, but 1 follow");
    code_fails("§.const 0\n  01\n", "announces 0 bytes, but 1 follow");
}

#[test]
fn missing_parts() {
    let lacks = |text: &str| asm::parse(text).expect_err("must be refused").msg;
    assert_eq!(lacks(""), "the program lacks '.dpu'");
    assert_eq!(lacks(".dpu 1\n.dram 1\n"), "the program lacks '.code'");
    assert_eq!(lacks(".dpu 1\n.code\n"), "the program lacks '.machine'");
    assert_eq!(lacks(&source("end").replace(".dram 4096\n", "")), "the program lacks '.dram'");
}

#[test]
fn every_character_of_a_program_counts() {
    let mut rng = Rng::new(5);
    let program = random_program(&mut rng, 12);
    let text = asm::print(&program);
    assert_eq!(asm::parse(&text).as_ref(), Ok(&program));
    for directive in [
        ".dpu",
        ".machine",
        ".manifest",
        ".dram",
        ".loc",
        ".layer",
        ".input",
        ".output",
        ".code",
        ".at",
        ".const",
    ] {
        assert!(
            text.contains(&format!("{directive} ")) || text.contains(&format!("{directive}\n")),
            "{directive}"
        );
    }
    let mut tried = 0;
    for (i, c) in text.char_indices() {
        let other = match c {
            '0'..='8' | 'a'..='y' | 'A'..='Y' => char::from_u32(u32::from(c) + 1).unwrap(),
            '9' => '0',
            'z' => 'a',
            _ => continue,
        };
        let changed = format!("{}{other}{}", &text[..i], &text[i + c.len_utf8()..]);
        let line = text[..i].matches('\n').count() + 1;
        if asm::parse(&changed).as_ref() == Ok(&program) {
            panic!(
                "line {line}: '{}' means the same with '{other}' for '{c}'",
                text.lines().nth(line - 1).unwrap()
            );
        }
        tried += 1;
    }
    assert!(tried > 3000, "{tried}");
}
