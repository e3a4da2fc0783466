// DAMF's row pipeline in its collapsed form: running extremes and sums of the
// pairs, A_max, the denominator's sign. A query's pair taken in cycle c has its
// (A_max, s), or (1, 0) for a uniform row, in c + 7; one per cycle, never stalls.
// It makes no reciprocal: the denominator comes out of the state's last column.
module linear_damf_rows (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  input  logic              causal_i,
  input  logic       [ 1:0] maximum_i,  // global, row, abs
  input  logic              key_i,
  input  logic              query_i,
  input  logic signed [7:0] s_i,
  input  logic signed [7:0] t_i,
  output logic       [14:0] a_max_o,
  output logic signed [7:0] s_o
);

  localparam int unsigned CountW = 21;  // 2^20 pairs.
  localparam int unsigned SumW = 28;

  function automatic logic signed [15:0] larger(input logic signed [15:0] a,
                                                input logic signed [15:0] b);
    larger = (a > b) ? a : b;
  endfunction

  function automatic logic signed [15:0] sized(input logic signed [15:0] a,
                                               input logic magnitude);
    sized = (magnitude && a < 0) ? -a : a;
  endfunction

  logic per_row, absolute;
  assign per_row = maximum_i == 2'd1;
  assign absolute = maximum_i == 2'd2;

  // Under a mask the queries' pairs count, one more with each query.
  logic update, empty_q;
  logic signed [7:0] s_max_q, s_min_q, t_max_q, t_min_q;
  logic signed [SumW-1:0] t_sum_q;
  logic [CountW-1:0] count_q;
  assign update = causal_i ? query_i : key_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) empty_q <= 1'b1;
    else if (clear_i) empty_q <= 1'b1;
    else if (update) empty_q <= 1'b0;
  end
  always_ff @(posedge clk_i) begin
    if (update) begin
      s_max_q <= (empty_q || s_i > s_max_q) ? s_i : s_max_q;
      s_min_q <= (empty_q || s_i < s_min_q) ? s_i : s_min_q;
      t_max_q <= (empty_q || t_i > t_max_q) ? t_i : t_max_q;
      t_min_q <= (empty_q || t_i < t_min_q) ? t_i : t_min_q;
      t_sum_q <= (empty_q ? '0 : t_sum_q) + SumW'(t_i);
      count_q <= (empty_q ? '0 : count_q) + 1'b1;
    end
  end

  // Without a mask the highest score is a product of extremes.
  logic signed [15:0] high_high_q, high_low_q, low_high_q, low_low_q, global_q;
  always_ff @(posedge clk_i) begin
    if (!causal_i) begin
      high_high_q <= s_max_q * t_max_q;
      high_low_q <= s_max_q * t_min_q;
      low_high_q <= s_min_q * t_max_q;
      low_low_q <= s_min_q * t_min_q;
      global_q <= larger(larger(sized(high_high_q, absolute), sized(high_low_q, absolute)),
                         larger(sized(low_high_q, absolute), sized(low_low_q, absolute)));
    end
  end

  logic [4:2] valid_q, first_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[3:2], query_i};
  end

  // Stages are numbered as the engine's: the pair is taken in stage 1.
  logic signed [7:0] s_2_q, s_3_q, s_4_q, s_5_q, s_6_q, s_7_q;
  logic signed [15:0] high_q, low_q, best_q, running_q, running, a_max_5_q, a_max_6_q, a_max_7_q;
  logic signed [SumW-1:0] t_sum_3_q;
  logic [CountW-1:0] count_3_q, count_4_q, count_5_q;
  logic signed [35:0] score_sum_4_q, score_sum_5_q, score_sum_6_q;
  logic signed [36:0] scaled_q;
  logic signed [37:0] denominator_q;
  logic uniform;
  assign running = first_q[4] ? best_q : larger(running_q, best_q);
  assign uniform = (a_max_7_q <= 0) || (denominator_q <= 0);

  always_ff @(posedge clk_i) begin
    first_q <= {first_q[3:2], empty_q};
    s_2_q <= s_i;
    // 2: products with the extremes.
    s_3_q <= s_2_q;
    high_q <= s_2_q * t_max_q;
    low_q <= s_2_q * t_min_q;
    t_sum_3_q <= t_sum_q;
    count_3_q <= count_q;
    // 3: best score of the row; sum of its scores.
    s_4_q <= s_3_q;
    best_q <= larger(sized(high_q, absolute), sized(low_q, absolute));
    score_sum_4_q <= 36'(s_3_q) * 36'(t_sum_3_q);
    count_4_q <= count_3_q;
    // 4: A_max.
    s_5_q <= s_4_q;
    if (valid_q[4]) running_q <= running;
    if (per_row) a_max_5_q <= best_q;
    else if (causal_i) a_max_5_q <= running;
    else a_max_5_q <= global_q;
    score_sum_5_q <= score_sum_4_q;
    count_5_q <= count_4_q;
    // 5, 6: denominator.
    s_6_q <= s_5_q;
    scaled_q <= 37'($signed({1'b0, count_5_q})) * 37'(a_max_5_q);
    score_sum_6_q <= score_sum_5_q;
    a_max_6_q <= a_max_5_q;
    s_7_q <= s_6_q;
    denominator_q <= 38'(scaled_q) + 38'(score_sum_6_q);
    a_max_7_q <= a_max_6_q;
    // 7: choice.
    a_max_o <= uniform ? 15'd1 : a_max_7_q[14:0];
    s_o <= uniform ? '0 : s_7_q;
  end

endmodule
