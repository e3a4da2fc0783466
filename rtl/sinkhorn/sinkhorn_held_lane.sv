// The held forms' part of a lane: a word of K times a packed scaling, rounded,
// joined to the running sum of its line, or clamped to a word that goes back, or
// times a second scaling as the word that leaves. It knows neither lines nor
// masks, and does not count what it clamps.
module sinkhorn_held_lane (
  input  logic        clk_i,
  // Stage 3.
  input  logic        en_3_i,
  input  logic [30:0] word_i,
  input  logic [22:0] first_factor_i,   // Shift, mantissa.
  input  logic [22:0] second_factor_i,
  // Stage 6.
  input  logic        add_i,
  input  logic        first_i,
  output logic [45:0] sum_o,
  output logic        blind_o,   // No term joined it.
  output logic [30:0] scaled_o,  // Stage 7.
  output logic [31:0] word_o     // Stage 9.
);
  /* verilator no_inline_module */

  localparam int unsigned SumW = 46;

  // A factor is mantissa * 2^(24 - shift), with a shift of 16 at least.
  logic [47:0] product_4_q;
  logic [5:0] shift_4_q, shift_7_q;
  logic [22:0] second_4_q, second_5_q, second_6_q;
  logic signed [SumW:0] term;  // At most 2^46 - 1: sums are clamped there.
  prim_round_shift #(
    .InW (57),
    .OutW(SumW + 1)
  ) u_term (
    .clk_i,
    .value_i({1'b0, product_4_q, 8'b0}),
    .shift_i(shift_4_q),
    .value_o(term)
  );

  logic [SumW-1:0] sum_q;
  logic [SumW:0] both;
  assign both = {1'b0, sum_q} + term;
  assign sum_o = sum_q;
  logic seen_q;
  assign blind_o = !seen_q;

  logic [37:0] between;
  logic [54:0] product_7_q;
  assign between = (|term[SumW-1:38]) ? '1 : term[37:0];

  always_ff @(posedge clk_i) begin
    if (en_3_i) begin
      product_4_q <= 48'(word_i) * 48'(first_factor_i[16:0]);
      shift_4_q <= first_factor_i[22:17] - 6'd16;
      second_4_q <= second_factor_i;
    end
    second_5_q <= second_4_q;
    second_6_q <= second_5_q;
    if (first_i || (add_i && !seen_q)) sum_q <= term[SumW-1:0];
    else if (add_i) sum_q <= both[SumW] ? '1 : both[SumW-1:0];
    if (first_i || add_i) seen_q <= add_i;
    scaled_o <= (|term[SumW-1:31]) ? '1 : term[30:0];
    product_7_q <= 55'(between) * 55'(second_6_q[16:0]);
    shift_7_q <= second_6_q[22:17] - 6'd16;
  end

  prim_round_shift #(
    .InW (64),
    .OutW(32)
  ) u_word (
    .clk_i,
    .value_i({1'b0, product_7_q, 8'b0}),
    .shift_i(shift_7_q),
    .value_o(word_o)
  );

endmodule
