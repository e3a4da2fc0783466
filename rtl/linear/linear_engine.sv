// The linear-attention engine: one packed command, one input and one output
// stream of ready/valid beats. Issue waits; everything behind it is one pipeline
// that never stalls, whose stages are numbered from the cycle that takes a beat
// (stage 0). Pins are Moore: no output depends on an input of the same cycle. It
// addresses no memory and checks no command: one beyond the parameters, or one
// that does not continue its sequence, is the sender's fault.
// Timing contract and command layout: docs/engines/linear.md.
module linear_engine #(
  parameter int unsigned Lanes       = 4,   // 4 .. 64
  parameter int unsigned MaxWidth    = 32,  // Lanes .. 255
  parameter int unsigned ChunkTokens = 4,   // 1 ..
  parameter int unsigned MaxHorizon  = 4,   // 1 .. ; ChunkTokens + 2 MaxHorizon <= 65
  parameter int unsigned CommandW    = 100,
  parameter int unsigned BytesW      = $clog2(4 * Lanes + 1)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                command_valid_i,
  output logic                command_ready_o,
  input  logic [CommandW-1:0] command_i,
  input  logic                input_valid_i,
  output logic                input_ready_o,
  input  logic [ Lanes*8-1:0] input_data_i,
  output logic                output_valid_o,
  input  logic                output_ready_i,
  output logic [Lanes*32-1:0] output_data_o,
  output logic [  BytesW-1:0] output_bytes_o
);

  localparam int unsigned Credits = 36;
  localparam int unsigned Beats = (MaxWidth + Lanes - 1) / Lanes;
  localparam int unsigned BeatW = (Beats > 1) ? $clog2(Beats) : 1;
  localparam int unsigned Taps = 2 * MaxHorizon - 1;
  localparam int unsigned MostRows = (2 * MaxHorizon + 1 > ChunkTokens) ? 2 * MaxHorizon + 1 :
                                                                          ChunkTokens;
  localparam int unsigned RowW = $clog2(MostRows);
  localparam int unsigned LaneCountW = $clog2(Lanes + 1);
  localparam int unsigned TokenW = (ChunkTokens > 1) ? $clog2(ChunkTokens) : 1;
  localparam int unsigned VisibleW = $clog2(ChunkTokens + 1);
  localparam int unsigned WidthW = $clog2(MaxWidth);
  localparam int unsigned ScoreW = WidthW + 17;
  localparam int unsigned WeightW = WidthW + 16;
  localparam int unsigned SumW = WidthW + 45;
  localparam int unsigned DenomW = WidthW + 37;
  localparam int unsigned TableWords = (256 + Lanes - 1) / Lanes;
  localparam int unsigned TableAddrW = $clog2(3 * TableWords);

  // ------------------------------------------------ 0, 1: issue

  logic damf, causal, sums, clear, merging;
  logic [1:0] maximum;
  logic [5:0] offsets;
  logic [6:0] columns;
  logic [BeatW-1:0] last_beat;
  logic take, table_1, position_1, key_1, value_1, window_1, direct_1, query_1;
  logic [LaneCountW-1:0] lanes_1;
  logic [RowW-1:0] row_1;
  logic [BeatW-1:0] beat_1;
  logic first_1, last_1, merged_1, shift_1, enters_1, chunk_end_1;
  logic [TokenW-1:0] token_1;
  logic [VisibleW-1:0] visible_1;

  linear_issue #(
    .Lanes      (Lanes),
    .Beats      (Beats),
    .ChunkTokens(ChunkTokens),
    .RowW       (RowW),
    .LaneCountW (LaneCountW),
    .TokenW     (TokenW),
    .VisibleW   (VisibleW),
    .Credits    (Credits)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .command_valid_i,
    .command_ready_o,
    .command_i,
    .input_valid_i,
    .input_ready_o,
    .give_i     (output_valid_o && output_ready_i),
    .merging_i  (merging),
    .damf_o     (damf),
    .causal_o   (causal),
    .sums_o     (sums),
    .maximum_o  (maximum),
    .offsets_o  (offsets),
    .columns_o  (columns),
    .last_beat_o(last_beat),
    .clear_o    (clear),
    .take_o     (take),
    .table_o    (table_1),
    .position_o (position_1),
    .key_o      (key_1),
    .value_o    (value_1),
    .window_o   (window_1),
    .direct_o   (direct_1),
    .query_o    (query_1),
    .lanes_o    (lanes_1),
    .row_o      (row_1),
    .beat_o     (beat_1),
    .first_o    (first_1),
    .last_o     (last_1),
    .token_o    (token_1),
    .visible_o  (visible_1),
    .merged_o   (merged_1),
    .shift_o    (shift_1),
    .enters_o   (enters_1),
    .chunk_end_o(chunk_end_1)
  );

  logic relative, streams;
  assign relative = offsets != '0;
  assign streams = offsets > 6'd1;

  logic [Lanes*8-1:0] beat_data_q;
  always_ff @(posedge clk_i) begin
    if (take) beat_data_q <= input_data_i;
  end

  // ------------------------------------------------ what travels with a beat

  logic [8:2] position_q, key_q;
  logic [12:2] value_q, window_q, query_q, first_q, direct_q, shift_q, enters_q;
  logic [13:2] merged_q;
  logic [26:2] last_q;
  logic [RowW-1:0] row_q[2:12];
  logic [BeatW-1:0] beat_q[2:8];
  logic [TokenW-1:0] token_q[2:12];
  logic [VisibleW-1:0] visible_q[2:13];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      position_q <= '0;
      key_q <= '0;
      value_q <= '0;
      window_q <= '0;
      query_q <= '0;
      last_q <= '0;
    end else begin
      position_q <= {position_q[7:2], position_1};
      key_q <= {key_q[7:2], key_1};
      value_q <= {value_q[11:2], value_1};
      window_q <= {window_q[11:2], window_1};
      query_q <= {query_q[11:2], query_1};
      last_q <= {last_q[25:2], last_1};
    end
  end
  always_ff @(posedge clk_i) begin
    first_q <= {first_q[11:2], first_1};
    direct_q <= {direct_q[11:2], direct_1};
    shift_q <= {shift_q[11:2], shift_1};
    enters_q <= {enters_q[11:2], enters_1};
    merged_q <= {merged_q[12:2], merged_1};
    row_q[2] <= row_1;
    beat_q[2] <= beat_1;
    token_q[2] <= token_1;
    visible_q[2] <= visible_1;
    for (int unsigned k = 3; k <= 12; k++) row_q[k] <= row_q[k-1];
    for (int unsigned k = 3; k <= 8; k++) beat_q[k] <= beat_q[k-1];
    for (int unsigned k = 3; k <= 12; k++) token_q[k] <= token_q[k-1];
    for (int unsigned k = 3; k <= 13; k++) visible_q[k] <= visible_q[k-1];
  end

  // ------------------------------------------------ 1 .. 3: phi

  logic [TableAddrW-1:0] table_addr_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) table_addr_q <= '0;
    else if (clear) table_addr_q <= '0;
    else if (table_1) table_addr_q <= table_addr_q + 1'b1;
  end

  logic coded_1;
  logic [TableAddrW-1:0] table_base;
  logic [Lanes*8-1:0] phi_2;
  assign coded_1 = query_1 || key_1 || position_1;
  always_comb begin
    if (position_1) table_base = TableAddrW'(2 * TableWords);
    else if (key_1) table_base = TableAddrW'(TableWords);
    else table_base = '0;
  end

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_phi
    linear_phi #(
      .Lanes(Lanes)
    ) u_phi (
      .clk_i,
      .write_i     (table_1),
      .write_addr_i(table_addr_q),
      .write_data_i(beat_data_q),
      .read_i      (coded_1 && !damf),
      .base_i      (table_base),
      .code_i      (beat_data_q[8*lane+:8]),
      .phi_o       (phi_2[8*lane+:8])
    );
  end

  // Lanes beyond the row are 0: in codes and in rows of V.
  logic [Lanes-1:0] mask_1, mask_2_q;
  logic [7:0] t_2_q;
  logic [Lanes*8-1:0] values_1, codes_3_q;
  always_comb begin
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      mask_1[lane] = LaneCountW'(lane) < lanes_1;
      values_1[8*lane+:8] = beat_data_q[8*lane+:8] & {8{mask_1[lane]}};
    end
  end

  // A DAMF key is (1, t), and 128 for the upper half of A_max.
  always_ff @(posedge clk_i) begin
    mask_2_q <= mask_1;
    t_2_q <= beat_data_q[15:8];
    if (query_q[2] || key_q[2] || position_q[2]) begin
      for (int unsigned lane = 0; lane < Lanes; lane++)
        codes_3_q[8*lane+:8] <= damf ? '0 : phi_2[8*lane+:8] & {8{mask_2_q[lane]}};
      if (damf) codes_3_q[23:0] <= {8'd128, t_2_q, 8'd1};
    end
  end

  // ------------------------------------------------ 8: codes

  logic [14:0] a_max;
  logic signed [7:0] s;
  logic [Lanes*8-1:0] delayed, codes_8;

  linear_damf_rows u_damf (
    .clk_i,
    .rst_ni,
    .clear_i  (clear),
    .causal_i (causal),
    .maximum_i(maximum),
    .key_i    (key_1 && damf),
    .query_i  (query_1 && damf),
    .s_i      (beat_data_q[7:0]),
    .t_i      (beat_data_q[15:8]),
    .a_max_o  (a_max),
    .s_o      (s)
  );

  linear_queue #(
    .Width(Lanes * 8),
    .Depth(4)
  ) u_codes (
    .clk_i,
    .rst_ni,
    .push_i(query_q[3] || key_q[3] || position_q[3]),
    .data_i(codes_3_q),
    .pop_i (query_q[7] || key_q[7] || position_q[7]),
    .data_o(delayed)
  );

  always_comb begin
    codes_8 = delayed;
    if (damf && query_q[8]) codes_8[23:0] = {a_max[14:7], s, 1'b0, a_max[6:0]};
  end

  // ------------------------------------------------ outer products and merge

  logic outer_1, outer_first_1, outer_fresh_1, merge_1, merge_fresh_1;
  logic [BeatW-1:0] outer_beat_1, merge_beat_1;
  logic [8:2] outer_q, merge_q;
  logic [7:2] outer_first_q;
  logic [8:2] outer_fresh_q, merge_fresh_q;
  logic [BeatW-1:0] outer_beat_q[2:8], merge_beat_q[2:8];
  logic [Lanes*8-1:0] outer_keys, outer_values;

  linear_merge #(
    .Beats      (Beats),
    .ChunkTokens(ChunkTokens)
  ) u_merge (
    .clk_i,
    .rst_ni,
    .clear_i      (clear),
    .last_beat_i  (last_beat),
    .value_i      (value_1),
    .value_first_i(row_1 == '0),
    .chunk_end_i  (chunk_end_1),
    .outer_o      (outer_1),
    .outer_first_o(outer_first_1),
    .outer_beat_o (outer_beat_1),
    .outer_fresh_o(outer_fresh_1),
    .merge_o      (merge_1),
    .merge_beat_o (merge_beat_1),
    .merge_fresh_o(merge_fresh_1),
    .merging_o    (merging)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      outer_q <= '0;
      merge_q <= '0;
    end else begin
      outer_q <= {outer_q[7:2], outer_1};
      merge_q <= {merge_q[7:2], merge_1};
    end
  end
  always_ff @(posedge clk_i) begin
    outer_first_q <= {outer_first_q[6:2], outer_first_1};
    outer_fresh_q <= {outer_fresh_q[7:2], outer_fresh_1};
    merge_fresh_q <= {merge_fresh_q[7:2], merge_fresh_1};
    outer_beat_q[2] <= outer_beat_1;
    merge_beat_q[2] <= merge_beat_1;
    for (int unsigned k = 3; k <= 8; k++) outer_beat_q[k] <= outer_beat_q[k-1];
    for (int unsigned k = 3; k <= 8; k++) merge_beat_q[k] <= merge_beat_q[k-1];
  end

  linear_queue #(
    .Width(Lanes * 8),
    .Depth(ChunkTokens * Beats + 6)
  ) u_outer_keys (
    .clk_i,
    .rst_ni,
    .push_i(key_q[3]),
    .data_i(codes_3_q),
    .pop_i (outer_q[7]),
    .data_o(outer_keys)
  );

  linear_queue #(
    .Width(Lanes * 8),
    .Depth(ChunkTokens + 6)
  ) u_outer_values (
    .clk_i,
    .rst_ni,
    .push_i(value_1),
    .data_i(values_1),
    .pop_i (outer_first_q[7]),
    .data_o(outer_values)
  );

  // ------------------------------------------------ 12: rows of V

  logic [Lanes*8-1:0] values_12;
  linear_queue #(
    .Width(Lanes * 8),
    .Depth(10)
  ) u_values (
    .clk_i,
    .rst_ni,
    .push_i(value_1 || window_1),
    .data_i(values_1),
    .pop_i (value_q[11] || window_q[11]),
    .data_o(values_12)
  );

  logic shift, leave, store, add_before, add_behind;
  logic [Taps:1] load_tap, entry, tap_valid;
  logic [TokenW-1:0] store_row, enter_row;
  assign shift = last_q[12] && shift_q[12];
  assign store = (value_q[12] && causal) || (window_q[12] && !direct_q[12]);
  assign store_row = causal ? TokenW'(row_q[12]) : '0;
  assign enter_row = causal ? token_q[12] : '0;
  assign add_before = value_q[12] && !causal && relative && !streams;
  assign add_behind = value_q[12] && !causal && streams;

  linear_window #(
    .Taps(Taps),
    .RowW(RowW)
  ) u_window (
    .clk_i,
    .rst_ni,
    .clear_i  (clear),
    .causal_i (causal),
    .offsets_i(offsets),
    .direct_i (window_q[12] && direct_q[12]),
    .row_i    (row_q[12]),
    .shift_i  (shift),
    .enters_i (enters_q[12]),
    .load_o   (load_tap),
    .entry_o  (entry),
    .leave_o  (leave),
    .valid_o  (tap_valid)
  );

  // ------------------------------------------------ 8 .. 13: scores and weights

  logic [12:8] scores_valid, weights_valid, readout_valid;
  logic [ChunkTokens*ScoreW-1:0] scores;
  logic [Taps*WeightW-1:0] weights;
  logic [WeightW-1:0] weight_before, weight_behind;
  assign scores_valid = query_q[12:8] & {5{causal}};
  assign weights_valid = query_q[12:8] & {5{relative}};
  assign readout_valid = query_q[12:8] & merged_q[12:8];

  for (genvar j = 0; j < ChunkTokens; j++) begin : gen_score
    logic [ScoreW-1:0] score;
    linear_weight_row #(
      .Lanes (Lanes),
      .Beats (Beats),
      .SumW  (ScoreW),
      .Signed(1'b1)
    ) u_row (
      .clk_i,
      .damf_i    (damf),
      .read_7_i  (query_q[7] && causal),
      .beat_7_i  (beat_q[7]),
      .write_8_i (key_q[8] && row_q[8] == RowW'(j)),
      .beat_8_i  (beat_q[8]),
      .codes_8_i (codes_8),
      .valid_i   (scores_valid),
      .first_12_i(first_q[12]),
      .sum_13_o  (score)
    );
    assign scores[ScoreW*j+:ScoreW] = (VisibleW'(j) < visible_q[13]) ? score : '0;
  end

  // Row r of RP for the window, row 0 and row 2k for the sums before and behind.
  for (genvar r = 0; r <= 2 * MaxHorizon; r++) begin : gen_weight
    logic write;
    logic [WeightW-1:0] weight;
    if (r < 2 * MaxHorizon) begin : gen_row
      assign write = row_q[8] == RowW'(r);
    end else begin : gen_behind
      assign write = row_q[8] == RowW'({offsets, 1'b0} - 7'd2);
    end
    linear_weight_row #(
      .Lanes (Lanes),
      .Beats (Beats),
      .SumW  (WeightW),
      .Signed(1'b0)
    ) u_row (
      .clk_i,
      .damf_i    (1'b0),
      .read_7_i  (query_q[7] && relative),
      .beat_7_i  (beat_q[7]),
      .write_8_i (position_q[8] && write),
      .beat_8_i  (beat_q[8]),
      .codes_8_i (codes_8),
      .valid_i   (weights_valid),
      .first_12_i(first_q[12]),
      .sum_13_o  (weight)
    );
    if (r == 0) begin : gen_before
      assign weight_before = weight;
    end else if (r == 2 * MaxHorizon) begin : gen_after
      assign weight_behind = weight;
    end else begin : gen_tap
      assign weights[WeightW*(r-1)+:WeightW] = tap_valid[r] ? weight : '0;
    end
  end

  // ------------------------------------------------ 7 .. 17: columns

  logic read_7;
  logic [BeatW-1:0] read_beat_7;
  logic [Lanes*SumW-1:0] sums_17;
  logic signed [WidthW+38:0] ones_17;
  assign read_7 = (query_q[7] && merged_q[7]) || merge_q[7];
  assign read_beat_7 = merge_q[7] ? merge_beat_q[7] : beat_q[7];

  for (genvar c = 0; c < Lanes; c++) begin : gen_column
    linear_column #(
      .Lanes      (Lanes),
      .Beats      (Beats),
      .ChunkTokens(ChunkTokens),
      .Taps       (Taps),
      .WidthW     (WidthW),
      .ValueW     (8)
    ) u_column (
      .clk_i,
      .clear_i           (clear),
      .damf_i            (damf),
      .causal_i          (causal),
      .relative_i        (relative),
      .read_7_i          (read_7),
      .read_beat_7_i     (read_beat_7),
      .merge_8_i         (merge_q[8]),
      .merge_beat_8_i    (merge_beat_q[8]),
      .merge_fresh_8_i   (merge_fresh_q[8]),
      .outer_8_i         (outer_q[8]),
      .outer_beat_8_i    (outer_beat_q[8]),
      .outer_fresh_8_i   (outer_fresh_q[8]),
      .keys_8_i          (outer_keys),
      .outer_value_8_i   (outer_values[8*c+:8]),
      .readout_i         (readout_valid),
      .first_12_i        (first_q[12]),
      .codes_8_i         (codes_8),
      .value_12_i        (values_12[8*c+:8]),
      .store_12_i        (store),
      .store_row_12_i    (store_row),
      .add_before_12_i   (add_before),
      .add_behind_12_i   (add_behind),
      .take_behind_12_i  (window_q[12]),
      .load_tap_12_i     (load_tap),
      .shift_12_i        (shift),
      .entry_12_i        (entry),
      .enter_row_12_i    (enter_row),
      .leave_12_i        (leave),
      .weigh_13_i        (last_q[13]),
      .merged_13_i       (merged_q[13]),
      .scores_13_i       (scores),
      .weights_13_i      (weights),
      .weight_before_13_i(weight_before),
      .weight_behind_13_i(weight_behind),
      .weigh_i           (last_q[16:14]),
      .sum_17_o          (sums_17[SumW*c+:SumW])
    );
  end

  linear_column #(
    .Lanes      (Lanes),
    .Beats      (Beats),
    .ChunkTokens(ChunkTokens),
    .Taps       (Taps),
    .WidthW     (WidthW),
    .ValueW     (2)
  ) u_ones (
    .clk_i,
    .clear_i           (clear),
    .damf_i            (damf),
    .causal_i          (causal),
    .relative_i        (relative),
    .read_7_i          (read_7),
    .read_beat_7_i     (read_beat_7),
    .merge_8_i         (merge_q[8]),
    .merge_beat_8_i    (merge_beat_q[8]),
    .merge_fresh_8_i   (merge_fresh_q[8]),
    .outer_8_i         (outer_q[8]),
    .outer_beat_8_i    (outer_beat_q[8]),
    .outer_fresh_8_i   (outer_fresh_q[8]),
    .keys_8_i          (outer_keys),
    .outer_value_8_i   (2'sd1),
    .readout_i         (readout_valid),
    .first_12_i        (first_q[12]),
    .codes_8_i         (codes_8),
    .value_12_i        (2'sd1),
    .store_12_i        (store),
    .store_row_12_i    (store_row),
    .add_before_12_i   (add_before),
    .add_behind_12_i   (add_behind),
    .take_behind_12_i  (window_q[12]),
    .load_tap_12_i     (load_tap),
    .shift_12_i        (shift),
    .entry_12_i        (entry),
    .enter_row_12_i    (enter_row),
    .leave_12_i        (leave),
    .weigh_13_i        (last_q[13]),
    .merged_13_i       (merged_q[13]),
    .scores_13_i       (scores),
    .weights_13_i      (weights),
    .weight_before_13_i(weight_before),
    .weight_behind_13_i(weight_behind),
    .weigh_i           (last_q[16:14]),
    .sum_17_o          (ones_17)
  );

  // ------------------------------------------------ 17 .. 26: division

  logic [DenomW-1:0] denominator_17;
  logic [16:0] mantissa_21, mantissa_22_q, mantissa_23_q;
  logic [5:0] shift_21, pre_shift_21, shift_22_q, shift_23_q, shift_24_q;
  logic [Lanes*SumW+DenomW-1:0] sums_21, sums_26;
  logic [Lanes*32-1:0] codes_26;
  assign denominator_17 = ones_17[DenomW-1:0];

  prim_reciprocal #(
    .Width(DenomW)
  ) u_reciprocal (
    .clk_i,
    .value_i   (denominator_17),
    .mantissa_o(mantissa_21),
    .shift_o   (shift_21)
  );

  linear_queue #(
    .Width(Lanes * SumW + DenomW),
    .Depth(3)
  ) u_sums (
    .clk_i,
    .rst_ni,
    .push_i(last_q[17]),
    .data_i({denominator_17, sums_17}),
    .pop_i (last_q[20]),
    .data_o(sums_21)
  );

  // Denominators from 2^32 on are cut to 32 bits, numerators with them.
  assign pre_shift_21 = (shift_21 > 6'd47) ? shift_21 - 6'd47 : '0;
  always_ff @(posedge clk_i) begin
    mantissa_22_q <= mantissa_21;
    mantissa_23_q <= mantissa_22_q;
    shift_22_q <= shift_21 - pre_shift_21 - 6'd8;
    shift_23_q <= shift_22_q;
    shift_24_q <= shift_23_q;
  end

  for (genvar c = 0; c < Lanes; c++) begin : gen_divide
    linear_divide #(
      .SumW(SumW)
    ) u_divide (
      .clk_i,
      .sum_i       (sums_21[SumW*c+:SumW]),
      .pre_shift_i (pre_shift_21),
      .mantissa_2_i(mantissa_23_q),
      .shift_3_i   (shift_24_q),
      .code_o      (codes_26[32*c+:32])
    );
  end

  linear_queue #(
    .Width(Lanes * SumW + DenomW),
    .Depth(4)
  ) u_held_sums (
    .clk_i,
    .rst_ni,
    .push_i(last_q[21] && sums),
    .data_i(sums_21),
    .pop_i (last_q[25] && sums),
    .data_o(sums_26)
  );

  linear_output #(
    .Lanes (Lanes),
    .SumW  (SumW),
    .DenomW(DenomW),
    .Depth (Credits)
  ) u_output (
    .clk_i,
    .rst_ni,
    .sums_i       (sums),
    .columns_i    (columns),
    .valid_i      (last_q[26]),
    .codes_i      (codes_26),
    .numerators_i (sums_26[Lanes*SumW-1:0]),
    .denominator_i(sums_26[Lanes*SumW+:DenomW]),
    .output_valid_o,
    .output_ready_i,
    .output_data_o,
    .output_bytes_o
  );

`ifndef SYNTHESIS
  logic [BeatW-1:0] written_beat_8;
  assign written_beat_8 = merge_beat_q[8];
  prim_offer_stable #(
    .Width(CommandW)
  ) u_command_stable (
    .clk_i,
    .rst_ni,
    .valid_i(command_valid_i),
    .ready_i(command_ready_o),
    .data_i (command_i)
  );
  prim_offer_stable #(
    .Width(Lanes * 8)
  ) u_input_stable (
    .clk_i,
    .rst_ni,
    .valid_i(input_valid_i),
    .ready_i(input_ready_o),
    .data_i (input_data_i)
  );
  prim_offer_stable #(
    .Width(BytesW + Lanes * 32)
  ) u_output_stable (
    .clk_i,
    .rst_ni,
    .valid_i(output_valid_o),
    .ready_i(output_ready_i),
    .data_i ({output_bytes_o, output_data_o})
  );

  EngineReadsOneWord: assert property (@(posedge clk_i) disable iff (!rst_ni)
      !(query_q[7] && merge_q[7]));
  EngineReadsMergedWords: assert property (@(posedge clk_i) disable iff (!rst_ni)
      query_q[7] && merge_q[8] |-> read_beat_7 < written_beat_8);
  EngineDenominatorIsPositive: assert property (@(posedge clk_i) disable iff (!rst_ni)
      last_q[17] |-> denominator_17 != '0);
`endif

endmodule
