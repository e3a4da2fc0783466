// When the arrays make outer products and when the chunk's share joins the
// state, word by word: behind the chunk's last query and its last outer product.
// Works in stage 1 of the engine: a row of V shown in stage 1 has its first
// product in the same cycle if the array is free. It holds no data.
module linear_merge #(
  parameter int unsigned Beats       = 1,
  parameter int unsigned ChunkTokens = 4,
  parameter int unsigned BeatW       = (Beats > 1) ? $clog2(Beats) : 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic [BeatW-1:0] last_beat_i,
  input  logic             value_i,       // A row of V to be multiplied ...
  input  logic             value_first_i, // ... the first of its chunk.
  input  logic             chunk_end_i,
  output logic             outer_o,       // A product of the row's beat ...
  output logic             outer_first_o, // ... the first of a row of V.
  output logic [BeatW-1:0] outer_beat_o,
  output logic             outer_fresh_o, // The share begins anew.
  output logic             merge_o,
  output logic [BeatW-1:0] merge_beat_o,
  output logic             merge_fresh_o, // The state begins anew.
  output logic             merging_o
);

  localparam int unsigned WaitingW = $clog2(ChunkTokens + 1);

  // Rows of V beside value_i: of the chunk in the arrays, and of the one behind it,
  // whose rows may come before the arrays have caught up if it is a short one.
  logic [WaitingW-1:0] waiting_q, waiting, later_q, later;
  logic [BeatW-1:0] outer_beat_q, merge_beat_q;
  logic [1:0] ended_q;  // Chunks that wait for their merge.
  logic share_fresh_q, state_fresh_q, moved_q, merge_q;
  logic is_later, change, outer_last, merge_start, merge_last;

  assign outer_o = value_i || waiting_q != '0;
  assign outer_first_o = outer_o && outer_beat_q == '0;
  assign outer_beat_o = outer_beat_q;
  assign outer_fresh_o = share_fresh_q || merge_start;
  assign outer_last = outer_o && outer_beat_q == last_beat_i;

  assign is_later = (value_first_i && waiting_q != '0) || later_q != '0;
  assign waiting = waiting_q + WaitingW'(value_i && !is_later) - WaitingW'(outer_last);
  assign later = later_q + WaitingW'(value_i && is_later);
  assign change = waiting == '0 && later != '0;

  assign merge_start = ended_q != '0 && (waiting_q == '0 || moved_q);
  assign merge_o = merge_start || merge_q;
  assign merge_beat_o = merge_beat_q;
  assign merge_fresh_o = state_fresh_q;
  assign merge_last = merge_o && merge_beat_q == last_beat_i;
  assign merging_o = chunk_end_i || ended_q > 2'(merge_start && merge_last) ||
                     (merge_q && !merge_last);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      waiting_q <= '0;
      later_q <= '0;
      moved_q <= 1'b0;
      outer_beat_q <= '0;
      merge_beat_q <= '0;
      share_fresh_q <= 1'b1;
      state_fresh_q <= 1'b1;
      ended_q <= '0;
      merge_q <= 1'b0;
    end else begin
      waiting_q <= change ? later : waiting;
      later_q <= change ? '0 : later;
      moved_q <= change;
      if (outer_o) outer_beat_q <= outer_last ? '0 : outer_beat_q + 1'b1;
      if (merge_o) merge_beat_q <= merge_last ? '0 : merge_beat_q + 1'b1;
      merge_q <= merge_o && !merge_last;
      ended_q <= ended_q + 2'(chunk_end_i) - 2'(merge_start);
      if (outer_last) share_fresh_q <= 1'b0;
      else if (merge_start) share_fresh_q <= 1'b1;
      if (clear_i) state_fresh_q <= 1'b1;
      else if (merge_last) state_fresh_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  MergeTwoChunksAtMost: assert property (@(posedge clk_i) disable iff (!rst_ni)
      chunk_end_i |-> ended_q != 2'd2);
  MergeOneWalkAtATime: assert property (@(posedge clk_i) disable iff (!rst_ni)
      merge_start |-> !merge_q);
  MergeMovedChunkHasEnded: assert property (@(posedge clk_i) disable iff (!rst_ni)
      moved_q |-> merge_start);
`endif

endmodule
