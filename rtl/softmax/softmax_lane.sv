// One lane of pass 2: a score to the 8-bit code of 2^-x (model/numerics/exp2.h),
// x = round_shift((maximum - score) * mantissa, shift) in 1/256 octaves. A score
// taken in cycle c gives its code in c + 5; one per cycle, never stalls. An
// invisible score gives code 0 and switches nothing. It is told the shift's
// masks: bits of the product below the rounding bit, and bits of 2^12 and more.
module softmax_lane (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         visible_i,
  input  logic [ 31:0] score_i,
  input  logic [ 31:0] maximum_i,
  input  logic [ 15:0] mantissa_i,
  input  logic [  5:0] shift_i,
  input  logic [ 46:0] low_mask_i,
  input  logic [47:12] high_mask_i,
  output logic [  7:0] code_o
);
  /* verilator no_inline_module */

  logic [4:1] visible_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) visible_q <= '0;
    else visible_q <= {visible_q[3:1], visible_i};
  end

  // 1, 2: distance to the maximum, which no visible score exceeds; product.
  logic [31:0] distance_q;
  logic [47:0] product_q;
  always_ff @(posedge clk_i) begin
    if (visible_i) distance_q <= maximum_i - score_i;
    if (visible_q[1]) product_q <= 48'(distance_q) * 48'(mantissa_i);
  end

  // 3: shift. 12 bits tell every x below the first that gives code 0, 2304,
  // from those above; the bit below them is the rounding bit.
  logic [12:0] shifted_q;
  logic sticky_q, large_q;
  always_ff @(posedge clk_i) begin
    if (visible_q[2]) begin
      shifted_q <= 13'({product_q, 1'b0} >> shift_i);
      sticky_q <= |(product_q[46:0] & low_mask_i);
      large_q <= |(product_q[47:12] & high_mask_i);
    end
  end

  // 4: round half to even, table.
  logic [12:0] x;
  logic [15:0] entry, entry_q;
  logic [3:0] octave_q;
  assign x = {1'b0, shifted_q[12:1]} + 13'(shifted_q[0] && (sticky_q || shifted_q[1]));
  softmax_exp2_table u_table (
    .index_i(x[7:0]),
    .entry_o(entry)
  );
  always_ff @(posedge clk_i) begin
    if (visible_q[3]) begin
      entry_q <= (large_q || x[12]) ? '0 : entry;
      octave_q <= x[11:8];
    end
  end

  // 5: shift by the octave, which leaves nothing from the ninth on; round half to
  // even to 8 bits.
  logic [23:0] scaled;
  assign scaled = {entry_q, 8'b0} >> octave_q;
  always_ff @(posedge clk_i) begin
    if (visible_q[4])
      code_o <= scaled[23:16] + 8'(scaled[15] && ((|scaled[14:0]) || scaled[16]));
    else code_o <= '0;
  end

endmodule
