//! The macro behind the instruction table: one row becomes struct, variant, descriptor and dispatch.
//!
//! A row is
//!
//! ```text
//! /// semantics
//! mnemonic = Name @ 0x21, task(Dpu) {
//!     /// meaning of the field
//!     field: u16 = uint(14, 1, 8192),
//! }
//! ```
//!
//! with one of the heads `control` (no common fields), `slot` (leading `tile`; fills a DPU slot) and
//! `task(Engine)` (leading `tile`, `wait`, `post`), where the engine `Dma` stands for the one that the row's
//! own `engine` field selects.

/// Declares the instruction table.
macro_rules! isa {
    ($(
        $(#[doc = $doc:literal])*
        $mnemonic:ident = $name:ident @ $opcode:literal, $head:ident $(($engine:ident))? {
            $($(#[doc = $fdoc:literal])* $field:ident : $ty:ty = $kind:expr),* $(,)?
        }
    )*) => {
        $(isa_row! {
            $head
            [$($doc)*] $name $mnemonic $opcode
            { $([$($fdoc)*] $field : $ty = $kind;)* }
        })*

        /// Any instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Instr {
            $(#[doc = concat!("`", stringify!($mnemonic), "`.")] $name($name),)*
        }

        /// Every instruction, by ascending opcode.
        pub const TABLE: &[InstrDesc] = &[$($name::DESC),*];

        impl Instr {
            /// The row of the table that describes this instruction.
            #[must_use]
            pub const fn desc(&self) -> &'static InstrDesc {
                match self { $(Instr::$name(_) => &$name::DESC,)* }
            }

            /// The engine that executes this instruction.
            #[must_use]
            pub const fn engine(&self) -> Engine {
                match self { $(Instr::$name(x) => isa_engine!($head $(($engine))?, x),)* }
            }

            /// The tile it runs on; `None` for the dispatcher's own instructions.
            #[must_use]
            pub const fn tile(&self) -> Option<u8> {
                match self { $(Instr::$name(x) => isa_head!(tile $head, x),)* }
            }

            /// The wait and post masks; `None` when the instruction is not a task.
            #[must_use]
            pub const fn masks(&self) -> Option<(u64, u64)> {
                match self { $(Instr::$name(x) => isa_head!(masks $head, x),)* }
            }

            /// The wait and post masks for change; `None` when the instruction is not a task.
            pub const fn masks_mut(&mut self) -> Option<(&mut u64, &mut u64)> {
                match self { $(Instr::$name(x) => isa_head!(masks_mut $head, x),)* }
            }

            /// Calls the visitor's method for this instruction.
            pub fn visit<V: Visitor>(&self, visitor: &mut V) -> V::Output {
                match self { $(Instr::$name(x) => visitor.$mnemonic(x),)* }
            }

            /// Appends the raw field values in encoding order.
            pub fn put_raw(&self, out: &mut Vec<i64>) {
                match self { $(Instr::$name(x) => x.put_raw(out),)* }
            }

            /// The instruction of `desc` with these values, which must have passed `desc.check`.
            fn from_checked(opcode: u8, raw: &[i64]) -> Option<Instr> {
                match opcode { $($opcode => Some(Instr::$name($name::get_raw(raw))),)* _ => None }
            }
        }

        /// One method per instruction: a user of it does not build until a new row has its meaning there.
        pub trait Visitor {
            /// Result of every method.
            type Output;
            $(#[doc = concat!("Visits `", stringify!($mnemonic), "`.")]
            fn $mnemonic(&mut self, x: &$name) -> Self::Output;)*
        }

        $(impl From<$name> for Instr {
            fn from(x: $name) -> Instr { Instr::$name(x) }
        })*
    };
}

/// Prepends the fields of the row's head.
macro_rules! isa_row {
    (control $docs:tt $name:ident $mnemonic:ident $opcode:literal { $($fields:tt)* }) => {
        isa_struct! { $docs $name $mnemonic $opcode { $($fields)* } }
    };
    (slot $docs:tt $name:ident $mnemonic:ident $opcode:literal { $($fields:tt)* }) => {
        isa_struct! { $docs $name $mnemonic $opcode {
            ["The tile whose slot is filled; less than the machine's `tiles`."]
            tile: u8 = uint(8, 0, 255);
            $($fields)*
        } }
    };
    (task $docs:tt $name:ident $mnemonic:ident $opcode:literal { $($fields:tt)* }) => {
        isa_struct! { $docs $name $mnemonic $opcode {
            ["The tile that runs the task and whose SRAM it sees; less than the machine's `tiles`."]
            tile: u8 = uint(8, 0, 255);
            ["Barriers whose producers must all be done before the task starts; it then consumes each once."]
            wait: u64 = FieldKind::Mask;
            ["Barriers that lose one producer each when the task ends."]
            post: u64 = FieldKind::Mask;
            $($fields)*
        } }
    };
}

/// The struct of a row and its raw view.
macro_rules! isa_struct {
    (
        [$($doc:literal)*] $name:ident $mnemonic:ident $opcode:literal
        { $([$($fdoc:literal)*] $field:ident : $ty:ty = $kind:expr;)* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $fdoc])* pub $field: $ty,)* }

        impl $name {
            /// The row of the table.
            pub const DESC: InstrDesc = InstrDesc {
                mnemonic: stringify!($mnemonic),
                opcode: $opcode,
                doc: concat!($($doc, "\n"),*),
                fields: &[$(FieldDesc {
                    name: stringify!($field),
                    doc: concat!($($fdoc, "\n"),*),
                    kind: $kind,
                    count: <$ty as FieldValue>::COUNT,
                }),*],
            };

            #[allow(unused_variables, clippy::ptr_arg, reason = "a row may have no fields")]
            fn put_raw(&self, out: &mut Vec<i64>) {
                $(self.$field.put(out);)*
            }

            #[allow(unused_variables, unused_mut, reason = "a row may have no fields")]
            fn get_raw(raw: &[i64]) -> Self {
                let mut raw = raw.iter();
                $name { $($field: FieldValue::get(&mut raw),)* }
            }
        }

        /// Every field holds its legal value nearest to zero.
        impl Default for $name {
            fn default() -> Self {
                let raw: Vec<i64> = Self::DESC
                    .fields
                    .iter()
                    .flat_map(|f| std::iter::repeat_n(f.kind.neutral(), f.count))
                    .collect();
                Self::get_raw(&raw)
            }
        }
    };
}

/// The engine of a row.
macro_rules! isa_engine {
    (control, $x:ident) => {{
        let _ = $x;
        Engine::Control
    }};
    (slot, $x:ident) => {{
        let _ = $x;
        Engine::Dpu
    }};
    (task(Dma), $x:ident) => {
        if $x.engine == 0 { Engine::Dma0 } else { Engine::Dma1 }
    };
    (task($engine:ident), $x:ident) => {{
        let _ = $x;
        Engine::$engine
    }};
}

/// Access to the fields that a row's head brings.
macro_rules! isa_head {
    (tile control, $x:ident) => {{
        let _ = $x;
        None
    }};
    (tile $head:ident, $x:ident) => {
        Some($x.tile)
    };
    (masks task, $x:ident) => {
        Some(($x.wait, $x.post))
    };
    (masks_mut task, $x:ident) => {
        Some((&mut $x.wait, &mut $x.post))
    };
    ($what:ident $head:ident, $x:ident) => {{
        let _ = $x;
        None
    }};
}
