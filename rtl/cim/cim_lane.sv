// One word of the read-out: the sum of what the macros give, ceil(ceil(log2
// Macros) / 2) stages. Macros of another column tile give zero; a lane beyond
// the last column gives zero whatever they give. It does not stall.
module cim_lane #(
  parameter int unsigned Macros = 32,
  parameter int unsigned AccW   = 22
) (
  input  logic                   clk_i,
  input  logic                   used_i,
  input  logic [Macros*AccW-1:0] terms_i,
  output logic [           31:0] sum_o
);

  // k is bounded so that 32 bits hold the sum.
  localparam int unsigned TreeW = AccW + $clog2(Macros);
  localparam int unsigned SumW = (TreeW < 32) ? TreeW : 32;

  logic signed [SumW-1:0] sum;
  prim_adder_tree #(
    .Lanes(Macros),
    .InW  (AccW),
    .SumW (SumW)
  ) u_tree (
    .clk_i,
    .terms_i(used_i ? terms_i : '0),
    .sum_o  (sum)
  );
  assign sum_o = 32'(sum);

endmodule
