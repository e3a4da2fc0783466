// Parameters of query rows: A_max, the denominator of (13), the exponents of
// (15) and (16), the reciprocal. A row issued in cycle i meets its (s, t) pair
// in i + 1 and leaves in i + 14, one row per cycle, never stalling. It keeps
// the running statistics; which row comes when is its caller's business.
module damf_row_pipeline #(
  parameter int unsigned MaxTokens = 512,
  parameter int unsigned SlotW     = 1,
  parameter int unsigned TokenW    = $clog2(MaxTokens + 1)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  // Settings, constant during a command.
  input  logic [TokenW-1:0] tokens_i,
  input  logic              per_row_i,
  input  logic              abs_i,
  input  logic              clamp_i,
  input  logic              causal_i,
  input  logic              shift_i,
  input  logic              each_i,
  input  logic [       4:0] guard_i,
  input  logic [      40:0] threshold_low_i,
  input  logic [      40:0] threshold_high_i,
  // Pairs being loaded.
  input  logic              load_i,
  input  logic              load_first_i,
  input  logic signed [7:0] load_s_i,
  input  logic signed [7:0] load_t_i,
  // Rows in order, and the pair of the row one cycle later.
  input  logic              issue_i,
  input  logic [TokenW-1:0] issue_row_i,
  input  logic [ SlotW-1:0] issue_slot_i,
  input  logic              issue_tail_i,
  input  logic signed [7:0] pair_s_i,
  input  logic signed [7:0] pair_t_i,
  // In i + 11 and i + 12, for the collapsed form.
  output logic signed [7:0] select_s_o,
  output logic signed [7:0] combine_s_o,
  output logic signed [15:0] combine_a_max_o,
  output logic              combine_uniform_o,
  // In i + 13: the first row of a block is a cycle from its end.
  output logic              prepared_o,
  // In i + 14.
  output logic              row_valid_o,
  output logic [ SlotW-1:0] row_slot_o,
  output logic              row_tail_o,
  output logic signed [7:0] row_s_o,
  output logic signed [15:0] row_a_max_o,
  output logic              row_uniform_o,
  output logic              row_shift_o,
  output logic [       4:0] row_exponent_max_o,
  output logic [       4:0] row_term_shift_o,
  output logic [      16:0] row_mantissa_o,
  output logic [       5:0] row_output_shift_o
);

  // Widths for N <= MaxTokens < 2^TokenW pairs of 8-bit codes; |s t| <= 2^14.
  localparam int unsigned SumW = 8 + TokenW;  // sum of t: N * 2^7
  localparam int unsigned ScoreSumW = 16 + TokenW;  // s * sum of t
  localparam int unsigned DenomW = 17 + TokenW;  // N * (A_max + score), |.| <= N * 2^15
  localparam int unsigned DivisorW = 16 + TokenW;
  localparam int unsigned LeadW = $clog2(DivisorW);

  function automatic logic signed [15:0] larger(input logic signed [15:0] a,
                                                input logic signed [15:0] b);
    larger = (a > b) ? a : b;
  endfunction

  function automatic logic signed [15:0] sized(input logic signed [15:0] a,
                                               input logic magnitude);
    sized = (magnitude && a < 0) ? -a : a;
  endfunction

  // ------------------------------------------------ statistics of all pairs

  logic signed [7:0] s_max_q, s_min_q, t_max_q, t_min_q;
  logic signed [SumW-1:0] t_positive_q, t_negative_q;
  logic signed [SumW-1:0] load_positive, load_negative;
  assign load_positive = (load_t_i > 0) ? SumW'(load_t_i) : '0;
  assign load_negative = (load_t_i < 0) ? SumW'(load_t_i) : '0;

  always_ff @(posedge clk_i) begin
    if (load_i) begin
      s_max_q <= (load_first_i || load_s_i > s_max_q) ? load_s_i : s_max_q;
      s_min_q <= (load_first_i || load_s_i < s_min_q) ? load_s_i : s_min_q;
      t_max_q <= (load_first_i || load_t_i > t_max_q) ? load_t_i : t_max_q;
      t_min_q <= (load_first_i || load_t_i < t_min_q) ? load_t_i : t_min_q;
      t_positive_q <= (load_first_i ? '0 : t_positive_q) + load_positive;
      t_negative_q <= (load_first_i ? '0 : t_negative_q) + load_negative;
    end
  end

  // The highest score of all rows is a product of extremes.
  logic signed [15:0] corner_q[4];
  logic signed [15:0] global_max_q;
  always_ff @(posedge clk_i) begin
    corner_q[0] <= s_max_q * t_max_q;
    corner_q[1] <= s_max_q * t_min_q;
    corner_q[2] <= s_min_q * t_max_q;
    corner_q[3] <= s_min_q * t_min_q;
    global_max_q <= larger(larger(sized(corner_q[0], abs_i), sized(corner_q[1], abs_i)),
                           larger(sized(corner_q[2], abs_i), sized(corner_q[3], abs_i)));
  end

  // ------------------------------------------------ what travels with a row

  logic [14:1] valid_q;
  logic [14:1] tail_q;
  logic [4:1] first_q;
  logic [SlotW-1:0] slot_q[1:14];
  logic [TokenW-1:0] count_q[1:7];
  logic signed [7:0] s_q[2:14];
  logic signed [15:0] a_max_q[5:14];
  logic [14:8] uniform_q;
  logic signed [15:0] a_max_d;
  logic uniform_d;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[13:1], issue_i};
  end

  always_ff @(posedge clk_i) begin
    tail_q <= {tail_q[13:1], issue_tail_i};
    first_q <= {first_q[3:1], issue_row_i == '0};
    slot_q[1] <= issue_slot_i;
    for (int unsigned k = 2; k <= 14; k++) slot_q[k] <= slot_q[k-1];
    count_q[1] <= causal_i ? issue_row_i + 1'b1 : tokens_i;
    for (int unsigned k = 2; k <= 7; k++) count_q[k] <= count_q[k-1];
    s_q[2] <= pair_s_i;
    for (int unsigned k = 3; k <= 14; k++) s_q[k] <= s_q[k-1];
    a_max_q[5] <= a_max_d;
    for (int unsigned k = 6; k <= 14; k++) a_max_q[k] <= a_max_q[k-1];
    uniform_q <= {uniform_q[13:8], uniform_d};
  end

  // ------------------------------------------------ 1: statistics so far

  logic signed [7:0] so_far_max_q, so_far_min_q;
  logic signed [SumW-1:0] so_far_positive_q, so_far_negative_q;
  logic signed [SumW-1:0] pair_positive, pair_negative;
  assign pair_positive = (pair_t_i > 0) ? SumW'(pair_t_i) : '0;
  assign pair_negative = (pair_t_i < 0) ? SumW'(pair_t_i) : '0;

  always_ff @(posedge clk_i) begin
    if (valid_q[1]) begin
      so_far_max_q <= (first_q[1] || pair_t_i > so_far_max_q) ? pair_t_i : so_far_max_q;
      so_far_min_q <= (first_q[1] || pair_t_i < so_far_min_q) ? pair_t_i : so_far_min_q;
      so_far_positive_q <= (first_q[1] ? '0 : so_far_positive_q) + pair_positive;
      so_far_negative_q <= (first_q[1] ? '0 : so_far_negative_q) + pair_negative;
    end
  end

  // ------------------------------------------------ 2: products with extremes

  logic signed [7:0] t_high, t_low;
  logic signed [SumW-1:0] t_positive, t_negative;
  assign t_high = causal_i ? so_far_max_q : t_max_q;
  assign t_low = causal_i ? so_far_min_q : t_min_q;
  assign t_positive = causal_i ? so_far_positive_q : t_positive_q;
  assign t_negative = causal_i ? so_far_negative_q : t_negative_q;

  logic signed [15:0] high_q, low_q;
  logic signed [SumW-1:0] t_sum_q;
  always_ff @(posedge clk_i) begin
    high_q <= s_q[2] * t_high;
    low_q <= s_q[2] * t_low;
    // Clamped, only keys whose score is positive count: t of the sign of s.
    if (clamp_i) t_sum_q <= (s_q[2] > 0) ? t_positive : t_negative;
    else t_sum_q <= t_positive + t_negative;
  end

  // ------------------------------------------------ 3: row maximum, score sum

  logic signed [15:0] best_q;
  logic signed [ScoreSumW-1:0] score_sum_q[4:6];
  always_ff @(posedge clk_i) begin
    best_q <= larger(sized(high_q, abs_i), sized(low_q, abs_i));
    score_sum_q[4] <= ScoreSumW'(s_q[3]) * ScoreSumW'(t_sum_q);
    score_sum_q[5] <= score_sum_q[4];
    score_sum_q[6] <= score_sum_q[5];
  end

  // ------------------------------------------------ 4: A_max

  logic signed [15:0] running_q, running_d;
  assign running_d = first_q[4] ? best_q : larger(running_q, best_q);
  always_ff @(posedge clk_i) begin
    if (valid_q[4]) running_q <= running_d;
  end
  always_comb begin
    if (per_row_i) a_max_d = best_q;
    else if (causal_i) a_max_d = running_d;
    else a_max_d = global_max_q;
  end

  // ------------------------------------------------ 5..7: denominator

  logic signed [DenomW-1:0] scaled_q, denominator_q;
  logic [DivisorW-1:0] divisor_q;
  assign uniform_d = (a_max_q[7] <= 0) || (denominator_q <= 0);
  always_ff @(posedge clk_i) begin
    scaled_q <= DenomW'($signed({1'b0, count_q[5]})) * DenomW'(a_max_q[5]);
    denominator_q <= scaled_q + DenomW'(score_sum_q[6]);
    divisor_q <= uniform_d ? DivisorW'(count_q[7]) : denominator_q[DivisorW-1:0];
  end

  // ------------------------------------------------ 8: normalise

  logic [LeadW-1:0] lead_9, lead_10_q;
  logic [3:0] max_lead_9, max_lead_10_q;
  logic [DivisorW-1:0] normal_9, normal_q;
  logic [14:0] max_normal_9, max_normal_q;
  prim_normalise #(
    .Width(DivisorW)
  ) u_normalise (
    .clk_i,
    .value_i (divisor_q),
    .normal_o(normal_9),
    .index_o (lead_9)
  );
  prim_normalise #(
    .Width(15)
  ) u_normalise_max (
    .clk_i,
    .value_i (a_max_q[8][14:0]),
    .normal_o(max_normal_9),
    .index_o (max_lead_9)
  );
  always_ff @(posedge clk_i) begin
    normal_q <= normal_9;
    lead_10_q <= lead_9;
    max_normal_q <= max_normal_9;
    max_lead_10_q <= max_lead_9;
  end

  // ------------------------------------------------ 10: round to powers of two

  // Both magnitudes in the thresholds' format, 39 fraction bits.
  logic [40:0] normal, max_normal;
  assign normal = {1'b0, normal_q, {(40 - DivisorW) {1'b0}}};
  assign max_normal = {1'b0, max_normal_q, 25'b0};

  logic [5:0] exponent_q[11:13];
  logic [4:0] max_exponent_q[11:14];
  logic [5:0] lead_q[11:13];
  logic [16:0] mantissa;

  prim_newton u_newton (
    .clk_i,
    .m_i       (normal[39:24]),
    .mantissa_o(mantissa)
  );

  always_ff @(posedge clk_i) begin
    exponent_q[11] <= 6'(lead_10_q) + 6'(normal >= threshold_low_i) +
                      6'(normal >= threshold_high_i);
    max_exponent_q[11] <= 5'(max_lead_10_q) + 5'(max_normal >= threshold_low_i) +
                          5'(max_normal >= threshold_high_i);
    lead_q[11] <= 6'(lead_10_q);
    for (int unsigned k = 12; k <= 13; k++) begin
      exponent_q[k] <= exponent_q[k-1];
      lead_q[k] <= lead_q[k-1];
    end
    for (int unsigned k = 12; k <= 14; k++) max_exponent_q[k] <= max_exponent_q[k-1];
  end

  // ------------------------------------------------ 13: one output shift for all modes

  logic as_shift;
  assign as_shift = shift_i && !uniform_q[13];

  always_ff @(posedge clk_i) begin
    row_shift_o <= as_shift;
    row_term_shift_o <= '0;
    if (as_shift) begin
      row_mantissa_o <= 17'd1;
      row_output_shift_o <= exponent_q[13];
      if (each_i && exponent_q[13] > 6'(guard_i)) begin
        row_output_shift_o <= 6'(guard_i);
        row_term_shift_o <= 5'(exponent_q[13] - 6'(guard_i));
      end
    end else begin
      row_mantissa_o <= mantissa;
      row_output_shift_o <= 6'd16 + lead_q[13];
    end
  end

  // ------------------------------------------------ outputs

  assign select_s_o = s_q[11];
  assign combine_s_o = s_q[12];
  assign combine_a_max_o = a_max_q[12];
  assign combine_uniform_o = uniform_q[12];
  assign prepared_o = valid_q[13] && (slot_q[13] == '0);
  assign row_valid_o = valid_q[14];
  assign row_slot_o = slot_q[14];
  assign row_tail_o = tail_q[14];
  assign row_s_o = s_q[14];
  assign row_a_max_o = a_max_q[14];
  assign row_uniform_o = uniform_q[14];
  assign row_exponent_max_o = max_exponent_q[14];

endmodule
