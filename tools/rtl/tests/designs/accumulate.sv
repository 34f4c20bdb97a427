// A 4x4 multiplier of adder cells, a register file of flip-flops and a latch behind clock gates, and an accumulator.

module full_adder(input logic a, input logic b, input logic c, output logic sum, output logic carry);
  assign sum = a ^ b ^ c;
  assign carry = (a & b) | (a & c) | (b & c);
endmodule

module half_adder(input logic a, input logic b, output logic sum, output logic carry);
  assign sum = a ^ b;
  assign carry = a & b;
endmodule

module clock_gate(input logic clk, input logic enable, output logic gated);
  logic held;
  always_latch if (!clk) held = enable;
  assign gated = clk & held;
endmodule

module row(input logic [3:0] a, input logic b, input logic [3:0] s, output logic [4:0] o);
  logic [3:0] p;
  logic [2:0] c;
  assign p = a & {4{b}};
  half_adder h0(.a(p[0]), .b(s[0]), .sum(o[0]), .carry(c[0]));
  full_adder f1(.a(p[1]), .b(s[1]), .c(c[0]), .sum(o[1]), .carry(c[1]));
  full_adder f2(.a(p[2]), .b(s[2]), .c(c[1]), .sum(o[2]), .carry(c[2]));
  full_adder f3(.a(p[3]), .b(s[3]), .c(c[2]), .sum(o[3]), .carry(o[4]));
endmodule

module multiplier(input logic [3:0] a, input logic [3:0] b, output logic [7:0] p);
  logic [4:0] s0, s1, s2, s3;
  row u_row0(.a(a), .b(b[0]), .s(4'b0), .o(s0));
  row u_row1(.a(a), .b(b[1]), .s(s0[4:1]), .o(s1));
  row u_row2(.a(a), .b(b[2]), .s(s1[4:1]), .o(s2));
  row u_row3(.a(a), .b(b[3]), .s(s2[4:1]), .o(s3));
  assign p = {s3, s2[0], s1[0], s0[0]};
endmodule

module registers(
  input logic clk, input logic write, input logic [1:0] at, input logic [7:0] d, output logic [7:0] q
);
  logic [2:0] enable, gated;
  logic [7:0] r0, r1, r2;
  assign enable[0] = write & at == 2'd0;
  assign enable[1] = write & at == 2'd1;
  assign enable[2] = write & at == 2'd2;
  clock_gate u_gate0(.clk(clk), .enable(enable[0]), .gated(gated[0]));
  clock_gate u_gate1(.clk(clk), .enable(enable[1]), .gated(gated[1]));
  clock_gate u_gate2(.clk(clk), .enable(enable[2]), .gated(gated[2]));
  always_ff @(posedge gated[0]) r0 <= d;
  always_ff @(posedge gated[1]) r1 <= d;
  // Transparent while the clock is high: it stores what comes right after the edge.
  always_latch if (gated[2]) r2 = d;
  always_comb begin
    case (at)
      2'd0: q = r0;
      2'd1: q = r1;
      2'd2: q = r2;
      default: q = 8'd0;
    endcase
  end
endmodule

module accumulate(
  input logic clk, input logic write, input logic [1:0] at, input logic [3:0] a, input logic [3:0] b,
  output logic [31:0] acc_out
);
  logic [7:0] product, held, read;
  multiplier u_multiplier(.a(a), .b(b), .p(product));
  always_ff @(posedge clk) held <= product;
  registers u_registers(.clk(clk), .write(write), .at(at), .d(held), .q(read));
  always_ff @(posedge clk) if (write) acc_out <= acc_out + {24'd0, read};
endmodule
