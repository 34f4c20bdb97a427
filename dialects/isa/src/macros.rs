//! The macro behind the instruction table: one row becomes struct, variant, descriptor, operands and dispatch.
//!
//! A row is
//!
//! ```text
//! /// semantics
//! mnemonic = Name @ 0x21, task(Vec) {
//!     /// meaning of the field
//!     field: u16 = uint(14, 1, 8192),
//! } |x| {
//!     map src: array(&x.dims, src_strides, x.src_dtype.bytes());
//!     read table: bytes(256), if x.lookup;
//!     write out: array(&x.dims, out_strides, x.out_dtype.bytes());
//! }
//! ```
//!
//! with one of the heads `control` (no common fields), `slot` (leading `tile`; fills the DPU slot given by its field
//! `slot`), `task(Engine)` (leading `tile`, `wait`, `post`), where the engine `Dma` stands for the one that the row's own
//! `engine` field selects, and `task(Engine, Invariant)`, a variant that runs with the invariant in the slot given by its
//! field `slot`.
//!
//! The clauses define what the instruction touches, in the order in which violations are reported; `x` is the instruction; a
//! variant uses `|x, inv|` to name the invariant as well. Each may have a condition, which may refer to `inv` only in
//! `held`.
//!
//! | clause | what it says |
//! |---|---|
//! | `map f: shape` | reads at the address in field `f`, element by element: results may lie on the operand |
//! | `read f: shape` | reads at the address in field `f`, in any order |
//! | `write f: shape` | writes at the address in field `f` |
//! | `hold f: shape` | an invariant's address that its variants read |
//! | `held f: shape` | reads at the address in the invariant's field `f` |
//! | `clamp lo: to(hi, dtype)` | `lo` and `hi` are an ascending pair of values of the type |
//! | `dtype f: of(types)` | field `f` is one of the types |
//! | `rule name: of(x)` | what else holds between fields: the function `Rules::name` in `rules.rs` |
//!
//! Shapes are `array(dims, strides, element)`, where `strides` names a field, `image([h, w, c], row, pixel, dtype)`, where
//! `row` and `pixel` name fields, `packed([h, w, c], dtype)` and `bytes(length)`.

/// Declares the instruction table.
macro_rules! isa {
    ($(
        $(#[doc = $doc:literal])*
        $mnemonic:ident = $name:ident @ $opcode:literal, $head:ident $(($engine:ident $(, $inv:ident)?))? {
            $($(#[doc = $fdoc:literal])* $field:ident : $ty:ty = $kind:expr),* $(,)?
        } $(|$x:ident $(, $with:ident)?| { $($clauses:tt)* })?
    )*) => {
        $(isa_row! {
            $head
            [$($doc)*] $name $mnemonic $opcode [isa_role!($head $($($inv)?)?)]
            { $([$($fdoc)*] $field : $ty = $kind;)* }
        }
        isa_operands! { $name [$($($inv)?)?] $(($x $($with)?) $x $($with)?, $($clauses)*)? })*

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
                match self { $(Instr::$name(x) => isa_engine!($head $(($engine $(, $inv)?))?, x),)* }
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

            /// The slot that it fills or runs with.
            #[must_use]
            pub const fn slot(&self) -> Option<u8> {
                match self { $(Instr::$name(x) => isa_slot!($head $($($inv)?)?, x),)* }
            }

            /// Whether it reads or writes at the address in this field, or leaves that to its variants.
            #[must_use]
            pub fn uses_address(&self, field: &str) -> bool {
                match self { $(Instr::$name(x) => x.uses_address(field),)* }
            }

            /// The clauses of its row; none for a variant without the invariant that it runs with.
            pub(crate) fn clauses(&self, inv: Option<&Instr>) -> Vec<Clause> {
                let mut list = Vec::new();
                match self { $(Instr::$name(x) => x.put_clauses(inv, &mut list),)* }
                list
            }

            /// Checks the instruction against the clauses of its row.
            pub(crate) fn check(&self, inv: Option<&Instr>, rules: &mut Rules<'_>) {
                match self { $(Instr::$name(x) => x.check(inv, rules),)* }
            }

            /// Gives every operand strides and an address of its own.
            #[cfg(feature = "testing")]
            pub(crate) fn lay_out(&mut self, inv: Option<&Instr>, places: &mut Places<'_>) {
                match self { $(Instr::$name(x) => x.lay_out(inv, places),)* }
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

        $(impl From<$name> for Instr {
            fn from(x: $name) -> Instr { Instr::$name(x) }
        })*
    };
}

/// Prepends the fields of the row's head.
macro_rules! isa_row {
    (control $docs:tt $name:ident $mnemonic:ident $opcode:literal $role:tt { $($fields:tt)* }) => {
        isa_struct! { $docs $name $mnemonic $opcode $role { $($fields)* } }
    };
    (slot $docs:tt $name:ident $mnemonic:ident $opcode:literal $role:tt { $($fields:tt)* }) => {
        isa_struct! { $docs $name $mnemonic $opcode $role {
            ["The tile whose slot is filled; less than the machine's `tiles`."]
            tile: u8 = uint(8, 0, 255);
            $($fields)*
        } }
    };
    (task $docs:tt $name:ident $mnemonic:ident $opcode:literal $role:tt { $($fields:tt)* }) => {
        isa_struct! { $docs $name $mnemonic $opcode $role {
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
        [$($doc:literal)*] $name:ident $mnemonic:ident $opcode:literal [$role:expr]
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
                role: $role,
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
    (task($engine:ident $(, $inv:ident)?), $x:ident) => {{
        let _ = $x;
        Engine::$engine
    }};
}

/// The role of a row's instructions.
macro_rules! isa_role {
    (control) => {
        Role::Control
    };
    (slot) => {
        Role::Invariant
    };
    (task) => {
        Role::Task
    };
    (task $inv:ident) => {
        Role::Variant(&$inv::DESC)
    };
}

/// The slot of a row's instructions.
macro_rules! isa_slot {
    (slot, $x:ident) => {
        Some($x.slot)
    };
    (task $inv:ident, $x:ident) => {
        Some($x.slot)
    };
    ($head:ident, $x:ident) => {{
        let _ = $x;
        None
    }};
}

/// Access to the fields that a row's head adds.
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

/// The clauses of a row.
macro_rules! isa_operands {
    ($name:ident []) => {
        isa_operands! { $name [] (x) x, }
    };
    (
        $name:ident [$($inv:ident)?] $names:tt $x:ident $($with:ident)?,
        $($verb:ident $field:ident : $shape:ident ($($args:tt)*) $(, if $cond:expr)?;)*
    ) => {
        $(impl Variant for $name {
            type Invariant = $inv;
            const INVARIANT: &'static InstrDesc = &$inv::DESC;

            fn place(&self) -> (u8, u8) {
                (self.tile, self.slot)
            }

            fn invariant(held: &Instr) -> Option<&$inv> {
                match held {
                    Instr::$inv(inv) => Some(inv),
                    _ => None,
                }
            }
        })?

        #[allow(unused_variables, clippy::ptr_arg, clippy::unused_self, reason = "a row may have no operands")]
        impl $name {
            fn put_clauses(&self, held: Option<&Instr>, list: &mut Vec<Clause>) {
                $(let Some(Instr::$inv($with)) = held else { return };)?
                let $x = self;
                $(if true $(&& $cond)? {
                    list.extend(isa_clause!($names $verb $field $shape ($($args)*)));
                })*
            }

            fn check(&self, held: Option<&Instr>, rules: &mut Rules<'_>) {
                $(let Some(Instr::$inv($with)) = held else { return };)?
                let $x = self;
                $(if true $(&& $cond)? { isa_check!(rules $names $verb $field $shape ($($args)*)); })*
            }

            fn uses_address(&self, field: &str) -> bool {
                let $x = self;
                false $(|| isa_uses!(field $verb $field $($cond)?))*
            }

            #[cfg(feature = "testing")]
            fn lay_out(&mut self, held: Option<&Instr>, places: &mut Places<'_>) {
                $(let Some(Instr::$inv($with)) = held else { return };)?
                let this = self;
                $(isa_lay_out!(this $x places $verb $field $shape ($($args)*));)*
            }
        }
    };
}

/// Checks an instruction against a clause.
macro_rules! isa_check {
    ($rules:ident $names:tt rule $name:ident of ($($arg:expr),*)) => {
        $rules.$name($($arg),*)
    };
    ($rules:ident $names:tt $($clause:tt)*) => {
        isa_clause!($names $($clause)*).iter().for_each(|clause| $rules.clause(clause))
    };
}

/// A clause with the values of an instruction's fields; `None` for a rule, and for operands that only
/// variants touch.
macro_rules! isa_clause {
    ($names:tt rule $name:ident of $args:tt) => {
        None::<Clause>
    };
    (($x:ident $($inv:ident)?) clamp $lo:ident to ($hi:ident, $dtype:expr)) => {
        Some(Clause::Clamp { lo: $x.$lo, hi: $x.$hi, dtype: $dtype })
    };
    (($x:ident $($inv:ident)?) dtype $field:ident of ($types:expr)) => {
        Some(Clause::Dtype { field: stringify!($field), dtype: $x.$field, of: &$types })
    };
    (($x:ident $inv:ident) held $field:ident bytes ($len:expr)) => {
        Some(Clause::Operand(operand::bytes((concat!("inv.", stringify!($field)), Use::Read, $inv.$field.addr()), $len)))
    };
    (($x:ident $($inv:ident)?) hold $field:ident bytes ($len:expr)) => {
        None::<Clause>
    };
    (($x:ident $($inv:ident)?) $verb:ident $field:ident array ($dims:expr, $strides:ident, $element:expr)) => {
        Some(Clause::Operand(operand::array(
            isa_place!($x $verb $field),
            $dims,
            (stringify!($strides), &$x.$strides),
            $element,
        )))
    };
    (($x:ident $($inv:ident)?) $verb:ident $field:ident image ($dims:expr, $row:ident, $pixel:ident, $dtype:expr)) => {
        Some(Clause::Operand(operand::image(isa_place!($x $verb $field), $dims, (stringify!($row), $x.$row), $x.$pixel, $dtype)))
    };
    (($x:ident $($inv:ident)?) $verb:ident $field:ident packed ($dims:expr, $dtype:expr)) => {
        Some(Clause::Operand(operand::packed(isa_place!($x $verb $field), $dims, $dtype)))
    };
    (($x:ident $($inv:ident)?) $verb:ident $field:ident bytes ($len:expr)) => {
        Some(Clause::Operand(operand::bytes(isa_place!($x $verb $field), $len)))
    };
}

/// Name, use and address of an operand.
macro_rules! isa_place {
    ($x:ident map $field:ident) => {
        (stringify!($field), Use::Map, $x.$field.addr())
    };
    ($x:ident read $field:ident) => {
        (stringify!($field), Use::Read, $x.$field.addr())
    };
    ($x:ident write $field:ident) => {
        (stringify!($field), Use::Write, $x.$field.addr())
    };
}

/// Whether a clause uses the address in a field.
macro_rules! isa_uses {
    ($name:ident clamp $field:ident $($cond:expr)?) => {
        false
    };
    ($name:ident dtype $field:ident $($cond:expr)?) => {
        false
    };
    ($name:ident held $field:ident $($cond:expr)?) => {
        false
    };
    ($name:ident rule $field:ident $($cond:expr)?) => {
        false
    };
    ($name:ident $verb:ident $field:ident $($cond:expr)?) => {
        ($name == stringify!($field) $(&& $cond)?)
    };
}

/// Gives the operand of a clause its address, or a clamp its bounds.
#[cfg(feature = "testing")]
macro_rules! isa_lay_out {
    ($this:ident $x:ident $places:ident clamp $lo:ident to ($hi:ident, $dtype:expr)) => {
        let $x = &*$this;
        ($this.$lo, $this.$hi) = $places.clamp($dtype);
    };
    ($this:ident $x:ident $places:ident dtype $($clause:tt)*) => {};
    ($this:ident $x:ident $places:ident held $($clause:tt)*) => {};
    ($this:ident $x:ident $places:ident rule $($clause:tt)*) => {};
    (
        $this:ident $x:ident $places:ident $verb:ident $field:ident
        array ($dims:expr, $strides:ident, $element:expr)
    ) => {
        let $x = &*$this;
        let how = isa_place!($x $verb $field).1;
        ($this.$field, $this.$strides) = $places.array(how, $dims, $element);
    };
    (
        $this:ident $x:ident $places:ident $verb:ident $field:ident
        image ($dims:expr, $row:ident, $pixel:ident, $dtype:expr)
    ) => {
        let $x = &*$this;
        ($this.$field, $this.$row, $this.$pixel) = $places.image($dims, $dtype);
    };
    ($this:ident $x:ident $places:ident $verb:ident $field:ident packed ($dims:expr, $dtype:expr)) => {
        let $x = &*$this;
        $this.$field = $places.bytes(operand::packed(isa_place!($x read $field), $dims, $dtype).span());
    };
    ($this:ident $x:ident $places:ident $verb:ident $field:ident bytes ($len:expr)) => {
        let $x = &*$this;
        $this.$field = $places.bytes($len);
    };
}
