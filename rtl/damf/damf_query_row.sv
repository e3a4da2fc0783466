// One query row of the array: makes the weight of each key that passes and
// adds weight times value in Lanes accumulators. Keys pass one per cycle at
// most; a key at its input in cycle c is in the sums in c + 8. It never
// stalls, and holds its sums only until the next key group's first key.
module damf_query_row #(
  parameter int unsigned Lanes = 4,
  parameter int unsigned SlotW = 1,
  parameter int unsigned AccW  = 35
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // Constant: which row of the array this is. An input, so that all rows are
  // one module.
  input  logic      [SlotW-1:0] row_i,
  // Settings, constant during a command; thresholds to 14 fraction bits.
  input  logic                  clamp_i,
  input  logic           [15:0] threshold_low_i,
  input  logic           [15:0] threshold_high_i,
  // Parameters for the block after the running one.
  input  logic                  load_i,
  input  logic signed    [ 7:0] load_s_i,
  input  logic signed    [15:0] load_a_max_i,
  input  logic                  load_uniform_i,
  input  logic                  load_shift_i,
  input  logic           [ 4:0] load_exponent_max_i,
  input  logic           [ 4:0] load_term_shift_i,
  input  logic           [16:0] load_mantissa_i,
  input  logic           [ 5:0] load_output_shift_i,
  // A key; its values four cycles later.
  input  logic                  key_valid_i,
  input  logic                  key_first_of_block_i,
  input  logic                  key_first_i,
  input  logic                  key_last_i,
  input  logic                  key_tail_i,
  input  logic      [SlotW-1:0] key_beyond_i,
  input  logic signed    [ 7:0] key_t_i,
  input  logic    [Lanes*8-1:0] values_i,
  // Sums of a finished key group.
  output logic                  done_o,
  output logic                  done_tail_o,
  output logic [Lanes*AccW-1:0] sums_o,
  output logic           [16:0] mantissa_o,
  output logic           [ 5:0] output_shift_o
);

  // ------------------------------------------------ parameters

  // The block's first key takes the loaded parameters along: each stage
  // changes over when that key reaches it.
  logic signed [7:0] next_s_q, s_q, s;
  logic signed [15:0] next_a_max_q, a_max_q, a_max;
  logic next_uniform_q, uniform_q, uniform;
  logic next_shift_q, shift_q, shift;
  logic [4:0] next_exponent_max_q, exponent_max_q, exponent_max;
  logic [4:0] next_term_shift_q, term_shift_q, term_shift;
  logic [16:0] next_mantissa_q;
  logic [5:0] next_output_shift_q;

  always_ff @(posedge clk_i) begin
    if (load_i) begin
      next_s_q <= load_s_i;
      next_a_max_q <= load_a_max_i;
      next_uniform_q <= load_uniform_i;
      next_shift_q <= load_shift_i;
      next_exponent_max_q <= load_exponent_max_i;
      next_term_shift_q <= load_term_shift_i;
      next_mantissa_q <= load_mantissa_i;
      next_output_shift_q <= load_output_shift_i;
    end
  end

  // ------------------------------------------------ what travels with a key

  logic [9:2] valid_q;
  logic [8:2] change_q;
  logic [8:2] first_q;
  logic [9:2] last_q, tail_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[8:2], key_valid_i};
  end

  always_ff @(posedge clk_i) begin
    change_q <= {change_q[7:2], key_valid_i && key_first_of_block_i};
    first_q <= {first_q[7:2], key_first_i};
    last_q <= {last_q[8:2], key_last_i};
    tail_q <= {tail_q[8:2], key_tail_i};
  end

  // ------------------------------------------------ 1: score

  logic signed [15:0] score_q;
  logic masked_q;
  assign s = (key_valid_i && key_first_of_block_i) ? next_s_q : s_q;
  always_ff @(posedge clk_i) begin
    s_q <= s;
    score_q <= s * key_t_i;
    masked_q <= key_beyond_i > row_i;
  end

  // ------------------------------------------------ 2: weight of (13), magnitude

  logic signed [15:0] clamped;
  logic signed [16:0] weight_q[3:5];
  logic [14:0] magnitude_q;
  logic negative_3_q, visible_3_q;
  assign a_max = change_q[2] ? next_a_max_q : a_max_q;
  assign uniform = change_q[2] ? next_uniform_q : uniform_q;
  assign clamped = (clamp_i && score_q < 0) ? '0 : score_q;
  always_ff @(posedge clk_i) begin
    a_max_q <= a_max;
    uniform_q <= uniform;
    if (masked_q) weight_q[3] <= '0;
    else if (uniform) weight_q[3] <= 17'sd1;
    else weight_q[3] <= 17'(a_max) + 17'(clamped);
    weight_q[4] <= weight_q[3];
    weight_q[5] <= weight_q[4];
    magnitude_q <= (clamped < 0) ? 15'(-clamped) : 15'(clamped);
    negative_3_q <= clamped < 0;
    visible_3_q <= !masked_q;
  end

  // ------------------------------------------------ 3: leading one, normalise

  logic [3:0] lead, lead_q;
  logic [14:0] normal_q;
  logic negative_4_q, visible_4_q, nonzero_4_q;
  prim_leading_one #(
    .Width(15)
  ) u_lead (
    .value_i(magnitude_q),
    .index_o(lead)
  );
  always_ff @(posedge clk_i) begin
    lead_q <= lead;
    normal_q <= magnitude_q << (4'd14 - lead);
    negative_4_q <= negative_3_q;
    visible_4_q <= visible_3_q;
    nonzero_4_q <= magnitude_q != '0;
  end

  // ------------------------------------------------ 4: round to a power of two

  logic [4:0] exponent_q;
  logic negative_5_q, visible_5_q, nonzero_5_q;
  always_ff @(posedge clk_i) begin
    exponent_q <= 5'(lead_q) + 5'({1'b0, normal_q} >= threshold_low_i) +
                  5'({1'b0, normal_q} >= threshold_high_i);
    negative_5_q <= negative_4_q;
    visible_5_q <= visible_4_q;
    nonzero_5_q <= nonzero_4_q && visible_4_q;
  end

  assign shift = change_q[5] ? next_shift_q : shift_q;
  assign exponent_max = change_q[5] ? next_exponent_max_q : exponent_max_q;
  assign term_shift = change_q[7] ? next_term_shift_q : term_shift_q;
  always_ff @(posedge clk_i) begin
    shift_q <= shift;
    exponent_max_q <= exponent_max;
    term_shift_q <= term_shift;
    if (change_q[8]) begin
      mantissa_o <= next_mantissa_q;
      output_shift_o <= next_output_shift_q;
    end
  end

  // ------------------------------------------------ 5..8: lanes

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    damf_query_lane #(
      .AccW(AccW)
    ) u_lane (
      .clk_i,
      .shift_i       (shift),
      .visible_i     (visible_5_q),
      .nonzero_i     (nonzero_5_q),
      .negative_i    (negative_5_q),
      .exponent_max_i(exponent_max),
      .exponent_i    (exponent_q),
      .weight_i      (weight_q[5]),
      .value_i       (values_i[lane*8+:8]),
      .term_shift_i  (term_shift),
      .add_i         (valid_q[8]),
      .first_i       (first_q[8]),
      .sum_o         (sums_o[lane*AccW+:AccW])
    );
  end

  assign done_o = valid_q[9] && last_q[9];
  assign done_tail_o = tail_q[9];

endmodule
