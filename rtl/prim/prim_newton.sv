// Mantissa of a reciprocal (model/numerics/reciprocal.h) from the 16 leading
// bits m of the number, 2^15 <= m: seed table, then one Newton step. m taken in
// cycle c gives its mantissa, 2^15 .. 2^16, in c + 3; one m per cycle, never
// stalls, carries no valid bit.
module prim_newton (
  input  logic        clk_i,
  input  logic [15:0] m_i,
  output logic [16:0] mantissa_o
);

  // 1: seed y.
  logic [15:0] m_q;
  logic [9:0] seed, seed_1_q;
  prim_reciprocal_seed u_seed (
    .index_i(m_i[14:8]),
    .seed_o (seed)
  );

  // 2, 3: y (2 - x y), with m = 2^15 x and seed = 2^10 y. The product p lies in
  // (0, 2^26), and y (2^26 - p) = y (~p + 1) needs no carry before the multiply.
  logic [25:0] product, complement_q;
  logic [9:0] seed_2_q;
  assign product = 26'(m_q) * 26'(seed_1_q);
  always_ff @(posedge clk_i) begin
    m_q <= m_i;
    seed_1_q <= seed;
    complement_q <= ~product;
    seed_2_q <= seed_1_q;
    mantissa_o <= 17'((36'(seed_2_q) * 36'(complement_q) + 36'(seed_2_q)) >> 19);
  end

endmodule
