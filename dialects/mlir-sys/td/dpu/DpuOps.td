// Operations of the dpu dialect that are not instructions, and bar_cfg. Their verifiers are written in Rust (strum-ir,
// src/dpu/verify).

#ifndef DPU_OPS_TD
#define DPU_OPS_TD

include "dpu/DpuBase.td"
include "mlir/IR/BuiltinAttributes.td"

def Dpu_ProgramOp : Dpu_Op<"program", [IsolatedFromAbove, NoTerminator, SingleBlock, Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "a program";
  let description = [{
    Buffers, layers and instructions of a program for `machine`: the name of a machine of this project, or any name with the machine's
    file in `machine_toml`.

    By stage: a `draft` has no addresses, barriers or end; once `allocated`, all buffers have addresses; once `scheduled`, barriers have
    their numbers, too, and `dpu.end` is the last operation.

    ```mlir
    dpu.program @main machine "flexnn-16x16" stage draft {
      %x = dpu.input "x" : !dpu.buffer<dram, 16xi8>
      %y = dpu.output "y" : !dpu.buffer<dram, 16xi8>
      %t = dpu.alloc : !dpu.buffer<sram, 16xi8>
      dpu.layer "copy" of "tosa.identity" macs 0
      dpu.dma_copy element 16 src(%x : <dram, 16xi8>) dst(%t : <sram, 16xi8>) layer 0
      dpu.dma_copy engine 1 element 16 src(%t : <sram, 16xi8>) dst(%y : <dram, 16xi8>) layer 0
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$machine, Dpu_StageAttr:$stage, OptionalAttr<StrAttr>:$machine_toml);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `machine` $machine `stage` `` $stage attr-dict-with-keyword $body";
  let hasVerifier = 0;
  let hasRegionVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verifyRegions() { return ::verifyInRust(getOperation()); }
  }];
}

/// Results are printed under descriptive names.
defvar Dpu_NamedResult = DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>;

class Dpu_Declaration<string mnemonic, list<Trait> traits = []> : Dpu_Op<mnemonic, !listconcat([HasParent<"ProgramOp">], traits)>;

def Dpu_Alignment : DefaultValuedAttr<I64Attr, "16">;
def Dpu_OptAddress : OptionalAttr<I64Attr>;

class Dpu_Io<string mnemonic> : Dpu_Declaration<mnemonic, [Dpu_Effects, Dpu_NamedResult]> {
  let arguments = (ins StrAttr:$name, Dpu_OptAddress:$address, Dpu_Alignment:$align);
  let results = (outs Dpu_BufferType:$buffer);
  let assemblyFormat = "$name (`address` $address^)? (`align` $align^)? attr-dict `:` qualified(type($buffer))";
}

def Dpu_InputOp : Dpu_Io<"input"> {
  let summary = "an input of the program";
  let description = [{
    A buffer in DRAM that is written before the program starts.

    ```mlir
    %x = dpu.input "x" address 4096 : !dpu.buffer<dram, 1x32x32x3xi8>
    ```
  }];
}

def Dpu_OutputOp : Dpu_Io<"output"> {
  let summary = "an output of the program";
  let description = [{
    A buffer in DRAM that is read after the program has ended.

    ```mlir
    %y = dpu.output "logits" : !dpu.buffer<dram, 1x10xi8>
    ```
  }];
}

def Dpu_ConstantOp : Dpu_Declaration<"constant", [Pure, Dpu_NamedResult]> {
  let summary = "constant bytes in DRAM";
  let description = [{
    A buffer that holds the value's bytes when the program starts, and is never written.

    ```mlir
    %w = dpu.constant dense_resource<weights> : tensor<4096xi8> address 0 -> !dpu.buffer<dram, 4096xi8>
    ```
  }];
  let arguments = (ins ElementsAttr:$value, Dpu_OptAddress:$address, Dpu_Alignment:$align);
  let results = (outs Dpu_BufferType:$buffer);
  let assemblyFormat = "$value (`address` $address^)? (`align` $align^)? attr-dict `->` qualified(type($buffer))";
}

def Dpu_AllocOp : Dpu_Declaration<"alloc", [Dpu_NamedResult]> {
  let summary = "memory for the program's own use";
  let description = [{
    A buffer in DRAM or SRAM. Buffers that are not in use at the same time may have overlapping addresses.

    ```mlir
    %t = dpu.alloc address 65536 align 64 : !dpu.buffer<sram, 8x8x64xi8>
    ```
  }];
  let arguments = (ins Dpu_OptAddress:$address, Dpu_Alignment:$align);
  let results = (outs Res<Dpu_BufferType, "", [MemAlloc<Dpu_Machine>]>:$buffer);
  let assemblyFormat = "(`address` $address^)? (`align` $align^)? attr-dict `:` qualified(type($buffer))";
}

def Dpu_LayerOp : Dpu_Declaration<"layer", [Dpu_Effects]> {
  let summary = "a layer of the network";
  let description = [{
    A layer as shown in reports: its name, the source operation, and its multiply-accumulates. Instructions refer to the layers of
    their program by index. The location is the source operation's.

    ```mlir
    dpu.layer "conv1" of "strum.conv2d" macs 1843200
    ```
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$op, I64Attr:$macs);
  let assemblyFormat = "$name `of` $op `macs` $macs attr-dict";
}

def Dpu_BarCfgOp : Dpu_Op<"bar_cfg", [Dpu_Effects, HasParent<"ProgramOp">, Dpu_NamedResult]> {
  let summary = "arm a barrier";
  let description = [{
    The instruction `bar_cfg`. Tasks wait for and post to the barrier that the result stands for; in a scheduled program it has the
    physical number `barrier`.

    ```mlir
    %b = dpu.bar_cfg barrier 3 producers 2 consumers 1
    ```
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$barrier, I64Attr:$producers, I64Attr:$consumers, Dpu_Layer:$layer);
  let results = (outs Dpu_Barrier:$result);
  let assemblyFormat = "(`barrier` $barrier^)? `producers` $producers `consumers` $consumers (`layer` $layer^)? attr-dict";
}

include "dpu/DpuInstrs.td"

#endif // DPU_OPS_TD
