// One column of V and of the state: its entries of S and of the chunk's share,
// the chunk's rows of V, the window and the sums before and behind it; and the
// column's sum for a query. The last column has 1 in place of V: its S is z, its
// sum the denominator. Numbers in port names are the engine's stages; nothing
// stalls, and which beat, row or weight counts is decided outside.
module linear_column #(
  parameter int unsigned Lanes       = 4,
  parameter int unsigned Beats       = 1,
  parameter int unsigned ChunkTokens = 4,
  parameter int unsigned Taps        = 7,   // Rows of the window with a weight each.
  parameter int unsigned WidthW      = 5,   // log2 of the widest d.
  parameter int unsigned ValueW      = 8,
  parameter int unsigned BeatW       = (Beats > 1) ? $clog2(Beats) : 1,
  parameter int unsigned TokenW      = (ChunkTokens > 1) ? $clog2(ChunkTokens) : 1,
  parameter int unsigned ScoreW      = WidthW + 17,
  parameter int unsigned WeightW     = WidthW + 16,
  parameter int unsigned OutW        = WidthW + 37 + ValueW
) (
  input  logic                            clk_i,
  input  logic                            clear_i,  // A sequence begins.
  input  logic                            damf_i,
  input  logic                            causal_i,
  input  logic                            relative_i,
  // State: read by a query's beat or by the merge.
  input  logic                            read_7_i,
  input  logic        [        BeatW-1:0] read_beat_7_i,
  input  logic                            merge_8_i,
  input  logic        [        BeatW-1:0] merge_beat_8_i,
  input  logic                            merge_fresh_8_i,
  // Outer products.
  input  logic                            outer_8_i,
  input  logic        [        BeatW-1:0] outer_beat_8_i,
  input  logic                            outer_fresh_8_i,
  input  logic        [      Lanes*8-1:0] keys_8_i,
  input  logic signed [       ValueW-1:0] outer_value_8_i /* verilator public_flat_rd */,
  // Readout, by stage.
  input  logic        [             12:8] readout_i,
  input  logic                            first_12_i,
  input  logic        [      Lanes*8-1:0] codes_8_i,
  // Rows of V in the order in which they came, and queries among them.
  input  logic signed [       ValueW-1:0] value_12_i /* verilator public_flat_rd */,
  input  logic                            store_12_i,
  input  logic        [       TokenW-1:0] store_row_12_i,
  input  logic                            add_before_12_i,
  input  logic                            add_behind_12_i,
  input  logic                            take_behind_12_i,
  input  logic        [           Taps:1] load_tap_12_i,
  input  logic                            shift_12_i,
  input  logic        [           Taps:1] entry_12_i,  // Where a row enters; none: before.
  input  logic        [       TokenW-1:0] enter_row_12_i,
  input  logic                            leave_12_i,  // A row joins the sum before.
  // Weighted sums.
  input  logic                            weigh_13_i,
  input  logic                            merged_13_i,  // The readout counts.
  input  logic [  ChunkTokens*ScoreW-1:0] scores_13_i,
  input  logic [        Taps*WeightW-1:0] weights_13_i,
  input  logic        [      WeightW-1:0] weight_before_13_i,
  input  logic        [      WeightW-1:0] weight_behind_13_i,
  input  logic        [            16:14] weigh_i,
  output logic signed [         OutW-1:0] sum_17_o
);
  /* verilator no_inline_module */

  // What 2^20 keys (S: of phi <= 255) add up to, and C of them.
  localparam int unsigned StateW = 28 + ValueW;
  localparam int unsigned SumW = 20 + ValueW;
  localparam int unsigned ShareW = 8 + ValueW + $clog2(ChunkTokens);

  // ------------------------------------------------ 7, 8: state and share

  logic [Lanes*StateW-1:0] state, state_d;
  logic [Lanes*ShareW-1:0] share_q[Beats];
  logic [Lanes*ShareW-1:0] share, share_d;

  prim_sram #(
    .Width(Lanes * StateW),
    .Depth(Beats)
  ) u_state (
    .clk_i,
    .write_i     (merge_8_i),
    .write_addr_i(merge_beat_8_i),
    .write_data_i(state_d),
    .read_i      (read_7_i),
    .read_addr_i (read_beat_7_i),
    .read_data_o (state)
  );

  always_comb begin
    state_d = '0;
    if (merge_8_i) begin
      for (int unsigned lane = 0; lane < Lanes; lane++) begin
        state_d[StateW*lane+:StateW] =
            (merge_fresh_8_i ? '0 : state[StateW*lane+:StateW]) +
            StateW'($signed(share_q[merge_beat_8_i][ShareW*lane+:ShareW]));
      end
    end
  end

  assign share = share_q[outer_beat_8_i];
  always_comb begin
    share_d = '0;
    if (outer_8_i) begin
      for (int unsigned lane = 0; lane < Lanes; lane++) begin
        share_d[ShareW*lane+:ShareW] =
            (outer_fresh_8_i ? '0 : share[ShareW*lane+:ShareW]) +
            ShareW'($signed({damf_i && lane == 1 && keys_8_i[8*lane+7], keys_8_i[8*lane+:8]})) *
            ShareW'(outer_value_8_i);
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (outer_8_i) share_q[outer_beat_8_i] <= share_d;
  end

  // ------------------------------------------------ 8 .. 13: readout

  localparam int unsigned Groups1 = (Lanes + 3) / 4;
  localparam int unsigned Groups2 = (Groups1 + 3) / 4;
  localparam int unsigned ProductW = StateW + 8;
  localparam int unsigned Sum1W = ProductW + 2;
  localparam int unsigned Sum2W = (Groups1 > 1) ? Sum1W + 2 : Sum1W;
  localparam int unsigned Sum3W = (Groups2 > 1) ? Sum2W + 2 : Sum2W;
  localparam int unsigned ReadoutW = OutW - 1;

  logic signed [ProductW-1:0] product_q[Lanes];
  logic signed [Sum1W-1:0] sum_1[Groups1], sum_1_q[Groups1];
  logic signed [Sum2W-1:0] sum_2[Groups2], sum_2_q[Groups2];
  logic signed [Sum3W-1:0] sum_3, sum_3_q;
  logic signed [ReadoutW-1:0] readout_q;

  always_ff @(posedge clk_i) begin
    if (readout_i[8]) begin
      for (int unsigned lane = 0; lane < Lanes; lane++) begin
        product_q[lane] <=
            ProductW'($signed({damf_i && lane == 1 && codes_8_i[8*lane+7], codes_8_i[8*lane+:8]})) *
            ProductW'($signed(state[StateW*lane+:StateW]));
      end
    end
  end

  always_comb begin
    for (int unsigned g = 0; g < Groups1; g++) begin
      sum_1[g] = '0;
      for (int unsigned i = 0; i < 4; i++)
        if (4 * g + i < Lanes) sum_1[g] = sum_1[g] + Sum1W'(product_q[4*g+i]);
    end
  end
  always_comb begin
    for (int unsigned g = 0; g < Groups2; g++) begin
      sum_2[g] = '0;
      for (int unsigned i = 0; i < 4; i++)
        if (4 * g + i < Groups1) sum_2[g] = sum_2[g] + Sum2W'(sum_1_q[4*g+i]);
    end
  end
  always_comb begin
    sum_3 = '0;
    for (int unsigned i = 0; i < Groups2; i++) sum_3 = sum_3 + Sum3W'(sum_2_q[i]);
  end

  always_ff @(posedge clk_i) begin
    if (readout_i[9]) for (int unsigned g = 0; g < Groups1; g++) sum_1_q[g] <= sum_1[g];
    if (readout_i[10]) for (int unsigned g = 0; g < Groups2; g++) sum_2_q[g] <= sum_2[g];
    if (readout_i[11]) sum_3_q <= sum_3;
    if (readout_i[12]) readout_q <= (first_12_i ? '0 : readout_q) + ReadoutW'(sum_3_q);
  end

  // ------------------------------------------------ 12: rows of V

  logic signed [ValueW-1:0] rows_q[ChunkTokens];
  logic signed [ValueW-1:0] taps_q[Taps+1];  // Of offset r - k; tap 0 is not kept.
  logic signed [ValueW-1:0] entering, leaving;
  logic signed [SumW-1:0] before_q, behind_q;

  assign entering = rows_q[enter_row_12_i];
  assign leaving = (entry_12_i == '0) ? entering : taps_q[1];

  always_ff @(posedge clk_i) begin
    if (store_12_i) rows_q[store_row_12_i] <= value_12_i;
    if (shift_12_i || load_tap_12_i != '0) begin
      for (int unsigned r = 1; r <= Taps; r++) begin
        if (load_tap_12_i[r]) taps_q[r] <= value_12_i;
        else if (shift_12_i) begin
          taps_q[r] <= (entry_12_i[r] || r == Taps) ? entering :
                       taps_q[(r == Taps) ? r : r + 1];
        end
      end
    end
    if (clear_i) before_q <= '0;
    else if (add_before_12_i) before_q <= before_q + SumW'(value_12_i);
    else if (leave_12_i) before_q <= before_q + SumW'(leaving);
    if (clear_i) behind_q <= '0;
    else if (add_behind_12_i) behind_q <= behind_q + SumW'(value_12_i);
    else if (take_behind_12_i) behind_q <= behind_q - SumW'(value_12_i);
  end

  // ------------------------------------------------ 13 .. 17: weighted sums

  localparam int unsigned Terms = ChunkTokens + Taps;
  localparam int unsigned TermGroups1 = (Terms + 3) / 4;
  localparam int unsigned TermGroups2 = (TermGroups1 + 3) / 4;  // At most 4.
  localparam int unsigned TermW = ScoreW + ValueW - 1;
  // The long products are made of two halves of the weight.
  localparam int unsigned LowW = WeightW / 2;
  localparam int unsigned HighW = WeightW - LowW;

  logic signed [TermW-1:0] term_q[Terms];
  logic signed [LowW+SumW-1:0] before_low_q, behind_low_q;
  logic signed [HighW+SumW-1:0] before_high_q, behind_high_q;
  logic signed [TermW+1:0] group_1[TermGroups1], group_1_q[TermGroups1];
  logic signed [TermW+3:0] group_2[TermGroups2], group_2_q[TermGroups2];
  logic signed [OutW-1:0] groups;
  logic signed [ReadoutW-1:0] readout_14_q;
  logic signed [OutW-1:0] long_15_q, long_16_q;

  always_ff @(posedge clk_i) begin
    if (clear_i) begin
      for (int unsigned i = 0; i < Terms; i++) term_q[i] <= '0;
    end else if (weigh_13_i) begin
      if (causal_i) begin
        for (int unsigned i = 0; i < ChunkTokens; i++) begin
          term_q[i] <= TermW'($signed(scores_13_i[ScoreW*i+:ScoreW])) * TermW'(rows_q[i]);
        end
      end
      if (relative_i) begin
        for (int unsigned r = 1; r <= Taps; r++) begin
          term_q[ChunkTokens+r-1] <=
              TermW'($signed({1'b0, weights_13_i[WeightW*(r-1)+:WeightW]})) * TermW'(taps_q[r]);
        end
      end
    end
    if (weigh_13_i) begin
      before_low_q <= (LowW + SumW)'($signed({1'b0, weight_before_13_i[LowW-1:0]})) *
                      (LowW + SumW)'(before_q);
      before_high_q <= (HighW + SumW)'($signed({1'b0, weight_before_13_i[WeightW-1:LowW]})) *
                       (HighW + SumW)'(before_q);
      behind_low_q <= (LowW + SumW)'($signed({1'b0, weight_behind_13_i[LowW-1:0]})) *
                      (LowW + SumW)'(behind_q);
      behind_high_q <= (HighW + SumW)'($signed({1'b0, weight_behind_13_i[WeightW-1:LowW]})) *
                       (HighW + SumW)'(behind_q);
      readout_14_q <= merged_13_i ? readout_q : '0;
    end
  end

  always_comb begin
    for (int unsigned g = 0; g < TermGroups1; g++) begin
      group_1[g] = '0;
      for (int unsigned i = 0; i < 4; i++)
        if (4 * g + i < Terms) group_1[g] = group_1[g] + (TermW + 2)'(term_q[4*g+i]);
    end
  end
  always_comb begin
    for (int unsigned g = 0; g < TermGroups2; g++) begin
      group_2[g] = '0;
      for (int unsigned i = 0; i < 4; i++)
        if (4 * g + i < TermGroups1) group_2[g] = group_2[g] + (TermW + 4)'(group_1_q[4*g+i]);
    end
  end
  always_comb begin
    groups = '0;
    for (int unsigned g = 0; g < TermGroups2; g++) groups = groups + OutW'(group_2_q[g]);
  end

  always_ff @(posedge clk_i) begin
    if (weigh_i[14]) begin
      for (int unsigned g = 0; g < TermGroups1; g++) group_1_q[g] <= group_1[g];
      long_15_q <= OutW'(readout_14_q) + OutW'(before_low_q) + (OutW'(before_high_q) << LowW) +
                   OutW'(behind_low_q) + (OutW'(behind_high_q) << LowW);
    end
    if (weigh_i[15]) begin
      for (int unsigned g = 0; g < TermGroups2; g++) group_2_q[g] <= group_2[g];
      long_16_q <= long_15_q;
    end
    if (weigh_i[16]) sum_17_o <= long_16_q + groups;
  end

endmodule
