// Reciprocal of an integer by table and one Newton step: the twin of
// model/numerics/reciprocal.h. 1/value ~ mantissa * 2^-shift. A value taken in
// cycle c has its reciprocal in c + 4 (normalise, table, two multiplies); one
// per cycle, never stalls, carries no valid bit. Undefined of zero.
module prim_reciprocal #(
  parameter int unsigned Width = 20  // 2 .. 47
) (
  input  logic             clk_i,
  input  logic [Width-1:0] value_i,
  output logic [     16:0] mantissa_o,
  output logic [      5:0] shift_o
);

  localparam int unsigned IndexW = $clog2(Width);

  logic [Width-1:0] normal;
  logic [15:0] leading_bits;
  logic [IndexW-1:0] index;
  prim_normalise #(
    .Width(Width)
  ) u_normalise (
    .clk_i,
    .value_i,
    .normal_o(normal),
    .index_o (index)
  );
  assign leading_bits = 16'({normal, 16'b0} >> Width);

  prim_newton u_newton (
    .clk_i,
    .m_i       (leading_bits),
    .mantissa_o
  );

  logic [5:0] shift_1_q, shift_2_q;
  always_ff @(posedge clk_i) begin
    shift_1_q <= 6'd16 + 6'(index);
    shift_2_q <= shift_1_q;
    shift_o <= shift_2_q;
  end

endmodule
