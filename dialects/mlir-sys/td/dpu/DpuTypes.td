// Types and enumerations of the dpu dialect.

#ifndef DPU_TYPES_TD
#define DPU_TYPES_TD

include "dpu/DpuDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Dpu_Space : I32EnumAttr<"Space", "address space", [
    I32EnumAttrCase<"Dram", 0, "dram">,
    I32EnumAttrCase<"Sram", 1, "sram">
  ]> {
  let cppNamespace = "::dpu";
  let genSpecializedAttr = 0;
}

def Dpu_Stage : I32EnumAttr<"Stage", "stage of a program", [
    I32EnumAttrCase<"Draft", 0, "draft">,
    I32EnumAttrCase<"Allocated", 1, "allocated">,
    I32EnumAttrCase<"Scheduled", 2, "scheduled">
  ]> {
  let cppNamespace = "::dpu";
  let genSpecializedAttr = 0;
}

def Dpu_StageAttr : EnumAttr<Dpu_Dialect, Dpu_Stage, "stage">;

class Dpu_Type<string name, string typeMnemonic, list<Trait> traits = []> : TypeDef<Dpu_Dialect, name, traits> {
  let mnemonic = typeMnemonic;
}

def Dpu_BufferType : Dpu_Type<"Buffer", "buffer"> {
  let summary = "a piece of memory";
  let description = [{
    A contiguous row-major tensor in DRAM, or in the SRAM of a tile. Element types are `i8`, `i16` and `i32`, which are signed, and
    `ui8` and `ui16`.

    ```mlir
    !dpu.buffer<sram, 1x8x8x64xi8>
    ```
  }];
  let parameters = (ins EnumParameter<Dpu_Space>:$space, ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $space `,` custom<Shape>($shape, $elementType) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Keeps every size that is computed from a shape far from overflow.
    static constexpr int64_t kMaxElements = int64_t(1) << 40;
  }];
}

def Dpu_BarrierType : Dpu_Type<"Barrier", "barrier"> {
  let summary = "a barrier that has been armed";
}

def Dpu_Buffer : AnyTypeOf<[Dpu_BufferType], "buffer", "::dpu::BufferType">;
def Dpu_Barrier : AnyTypeOf<[Dpu_BarrierType], "barrier", "::dpu::BarrierType">,
                  BuildableType<"::dpu::BarrierType::get($_builder.getContext())">;

#endif // DPU_TYPES_TD
