// One lane: adds a logit and the other side's scaling, takes the power of two
// and joins it to the running sum of its line; or gives the power as a word of
// K, or passes a word through. Held K: sinkhorn_held_lane, which also has a
// pass's words. It knows neither lines nor masks: what is added when, its
// surroundings say.
module sinkhorn_lane #(
  parameter int unsigned SumW = 43
) (
  input  logic                   clk_i,
  // Stage 3.
  input  logic                   en_3_i,
  input  logic            [30:0] word_i,  // A logit in the low half, or held K.
  input  logic signed     [32:0] other_i,
  input  logic            [ 3:0] left_i,
  input  logic                   held_i,
  input  logic            [22:0] row_i,  // A row's scaling, which comes before the other one.
  input  logic                   by_row_i,
  // Stage 6: a term joins the sum (first: replaces it), `clear` empties it.
  input  logic                   add_i,
  input  logic                   first_i,
  input  logic                   clear_i,
  input  logic                   resume_i,
  input  logic       [SumW-1:0]  resume_sum_i,
  input  logic signed     [16:0] resume_octave_i,
  output logic       [SumW-1:0]  sum_o,
  output logic signed     [16:0] octave_o,
  // Stage 6: passes the other side's word instead of making one of K.
  input  logic                   pass_i,
  output logic            [31:0] word_o,
  // Held K.
  input  logic                   power_back_i,
  output logic            [45:0] held_sum_o,
  output logic                   held_blind_o,
  output logic            [31:0] back_o
);
  /* verilator no_inline_module */

  logic signed [33:0] x_q;
  logic [15:0] low_5_q, low_6_q;
  logic [16:0] fraction;
  logic signed [17:0] octave_x;

  always_ff @(posedge clk_i) begin
    if (en_3_i) x_q <= 34'(other_i) + (34'($signed(word_i[15:0])) <<< left_i);
    low_5_q <= x_q[15:0];
    low_6_q <= low_5_q;
  end

  sinkhorn_power #(
    .XW(34)
  ) u_power (
    .clk_i,
    .x_i       (x_q),
    .fraction_o(fraction),
    .octave_o  (octave_x)
  );

  // ------------------------------------------------ sum

  // The smaller octave's part is shifted right and cut off. Both differences are
  // made, and a far one empties the part behind the shift: a sum of 43 bits in one
  // cycle has no room for a negation or a bound before it.
  logic [SumW-1:0] sum_q, prior, term, prior_far, term_far;
  logic signed [16:0] octave_q, octave_prior, octave;
  logic signed [17:0] ahead;
  logic [16:0] behind;  // Where ahead is negative.
  logic empty;
  assign octave = octave_x[16:0];
  assign prior = resume_i ? resume_sum_i : sum_q;
  assign octave_prior = resume_i ? resume_octave_i : octave_q;
  assign empty = first_i || prior == '0;
  assign term = SumW'({1'b1, fraction, 12'b0});
  assign ahead = 18'(octave) - 18'(octave_prior);
  assign behind = octave_prior - octave;
  always_comb begin
    prior_far = (ahead[16:6] == '0) ? prior >> ahead[5:0] : '0;
    term_far = (behind[16:6] == '0) ? term >> behind[5:0] : '0;
    if (ahead[17]) prior_far = prior;
    else term_far = term;
  end

  always_ff @(posedge clk_i) begin
    if (add_i) begin
      sum_q <= empty ? term : prior_far + term_far;
      octave_q <= (empty || !ahead[17]) ? octave : octave_prior;
    end else if (clear_i) begin
      sum_q <= '0;
    end else if (resume_i) begin
      sum_q <= prior;
      octave_q <= octave_prior;
    end
  end
  assign sum_o = sum_q;
  assign octave_o = octave_q;

  // ------------------------------------------------ word

  logic [30:0] code;
  logic [31:0] word_q;
  logic pass_q;
  sinkhorn_power_code #(
    .FractionBits(24),
    .OctaveW     (18)
  ) u_code (
    .clk_i,
    .fraction_i(fraction),
    .octave_i  (octave_x),
    .code_o    (code)
  );
  always_ff @(posedge clk_i) begin
    pass_q <= pass_i;
    if (pass_i) word_q <= {octave_x[15:0], low_6_q};
  end

  // ------------------------------------------------ held K

  logic [31:0] held_word, word_8_q, word_9_q;
  logic pass_8_q, pass_9_q;
  logic [30:0] scaled;
  logic [22:0] factor;
  assign factor = {other_i[29:24], other_i[16:0]};
  sinkhorn_held_lane u_held (
    .clk_i,
    .en_3_i         (en_3_i && held_i),
    .word_i,
    .first_factor_i (by_row_i ? row_i : factor),
    .second_factor_i(factor),
    .add_i          (add_i && held_i),
    .first_i        (first_i),
    .sum_o          (held_sum_o),
    .blind_o        (held_blind_o),
    .scaled_o       (scaled),
    .word_o         (held_word)
  );
  always_ff @(posedge clk_i) begin
    pass_8_q <= pass_q;
    pass_9_q <= pass_8_q;
    if (held_i) begin
      word_8_q <= word_q;
      word_9_q <= word_8_q;
    end
  end
  assign back_o = {1'b0, power_back_i ? code : scaled};
  always_comb begin
    if (held_i) word_o = pass_9_q ? word_9_q : held_word;
    else word_o = pass_q ? word_q : {1'b0, code};
  end

endmodule
