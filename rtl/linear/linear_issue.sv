// Takes commands and beats, in the order of docs/engines/linear.md, and says one
// cycle later (stage 1) what each beat is. A query waits for the chunk before to
// be in the state, its last beat for the output beats of the query before and for
// credits for its own; nothing else waits. It checks no command and touches no data.
module linear_issue #(
  parameter int unsigned Lanes       = 4,
  parameter int unsigned Beats       = 1,
  parameter int unsigned ChunkTokens = 4,
  parameter int unsigned RowW        = 4,
  parameter int unsigned LaneCountW  = 3,
  parameter int unsigned TokenW      = 2,
  parameter int unsigned VisibleW    = 3,
  parameter int unsigned Credits     = 36,
  parameter int unsigned BeatW       = (Beats > 1) ? $clog2(Beats) : 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  command_valid_i,
  output logic                  command_ready_o,
  input  logic [          99:0] command_i,
  input  logic                  input_valid_i,
  output logic                  input_ready_o,
  input  logic                  give_i,        // An output beat was taken.
  input  logic                  merging_i,     // A chunk is not in the state yet.
  // Settings of the command.
  output logic                  damf_o,
  output logic                  causal_o,
  output logic                  sums_o,
  output logic [           1:0] maximum_o,
  output logic [           5:0] offsets_o,     // k + 1, or 0 without positions.
  output logic [           6:0] columns_o,
  output logic [     BeatW-1:0] last_beat_o,   // Of a row of K, Q or RP.
  output logic                  clear_o,       // A sequence begins.
  // Stage 1.
  output logic                  take_o,        // Stage 0: the beat is taken.
  output logic                  table_o,
  output logic                  position_o,
  output logic                  key_o,
  output logic                  value_o,
  output logic                  window_o,
  output logic                  direct_o,      // Window row before the first query.
  output logic                  query_o,
  output logic [LaneCountW-1:0] lanes_o,       // Bytes of the beat that count.
  output logic [      RowW-1:0] row_o,
  output logic [     BeatW-1:0] beat_o,
  output logic                  first_o,       // First beat of its row.
  output logic                  last_o,        // Last beat of a query.
  output logic [    TokenW-1:0] token_o,       // Query of the chunk.
  output logic [  VisibleW-1:0] visible_o,     // Keys of the chunk that it sees.
  output logic                  merged_o,      // The state is not empty.
  output logic                  shift_o,       // The window moves with the query ...
  output logic                  enters_o,      // ... and a row enters it.
  output logic                  chunk_end_o    // Last beat of a chunk with keys.
);

  typedef enum logic [2:0] {
    Idle,
    Tables,
    Positions,
    Keys,
    Values,
    Window,
    Queries,
    Drain
  } state_e;

  localparam int unsigned CountW = 21;
  localparam int unsigned QueryW = 31;
  localparam int unsigned LeftW = 9;  // A table has 256 bytes.
  localparam int unsigned CreditW = $clog2(Credits + 1);
  localparam int unsigned NumeratorColumns = Lanes / 2;

  // ------------------------------------------------ command

  logic [99:0] command_q;  // The counts, bits 78:27, count down.
  logic [7:0] width;
  logic [CountW-1:0] total_keys, key_left;
  logic [QueryW-1:0] query_left;
  assign damf_o = command_q[0];
  assign causal_o = command_q[2];
  assign sums_o = command_q[3];
  assign maximum_o = command_q[5:4];
  assign offsets_o = command_q[11:6];
  assign width = command_q[19:12];
  assign columns_o = command_q[26:20];
  assign key_left = command_q[47:27];
  assign query_left = command_q[78:48];
  assign total_keys = command_q[99:79];

  logic relative, streams;
  assign relative = offsets_o != '0;
  assign streams = !causal_o && offsets_o > 6'd1;

  // ------------------------------------------------ state

  state_e state_q, state_d;
  logic [LeftW-1:0] left_q, left_d;  // Bytes of the row from the next beat on.
  logic [BeatW-1:0] beat_q;
  logic [RowW-1:0] row_q;
  logic [VisibleW-1:0] query_q;
  logic merged_q, merging_q, first_query_q, enters_q;
  logic [CountW-1:0] streamed_q;
  logic [2:0] slots_left_q, slots_q, slots_d;
  logic [3:0] settle_q;  // Rows of V of the last chunk are in the pipeline.
  logic [CreditW-1:0] credits_q, credits_d;

  logic [VisibleW-1:0] chunk_keys, chunk_queries, visible;
  logic keys_follow, queries_follow, query_last, row_done, phase_done, query_done, chunk_done;
  logic [CountW-1:0] keys_after;
  logic [QueryW-1:0] queries_after;
  assign chunk_keys = (key_left < CountW'(ChunkTokens)) ? VisibleW'(key_left) :
                                                          VisibleW'(ChunkTokens);
  assign chunk_queries = (query_left < QueryW'(ChunkTokens)) ? VisibleW'(query_left) :
                                                               VisibleW'(ChunkTokens);
  assign keys_after = key_left - CountW'(chunk_keys);
  assign queries_after = query_left - QueryW'(chunk_queries);
  assign keys_follow = key_left > CountW'(ChunkTokens);
  assign queries_follow = query_left > QueryW'(ChunkTokens);
  assign query_last = query_q + 1'b1 == chunk_queries;
  assign visible = (query_q < chunk_keys) ? query_q + 1'b1 : chunk_keys;
  assign row_done = left_q <= LeftW'(Lanes);

  // Output beats of a query, found out when the command is taken.
  logic [6:0] new_columns;
  assign new_columns = command_i[26:20];
  assign slots_d = command_i[3] ? 3'd3 + 3'(new_columns > 7'(NumeratorColumns)) +
                                  3'(new_columns > 7'(2 * NumeratorColumns)) : 3'd1;

  assign command_ready_o = state_q == Idle;
  always_comb begin
    unique case (state_q)
      Idle, Drain: input_ready_o = 1'b0;
      Queries: begin
        input_ready_o = !chunk_end_o && !merging_q &&
                        (!row_done || (slots_left_q == '0 && credits_q >= CreditW'(slots_q)));
      end
      default: input_ready_o = 1'b1;
    endcase
  end

  logic take_command;
  assign take_command = command_valid_i && command_ready_o;
  assign take_o = input_valid_i && input_ready_o;

  // ------------------------------------------------ next state

  always_comb begin
    unique case (state_q)
      Tables: phase_done = row_q == RowW'(2);
      Positions: phase_done = row_q == RowW'({offsets_o, 1'b0} - 7'd2);
      Keys, Values: phase_done = row_q + 1'b1 == RowW'(chunk_keys);
      Window: begin
        phase_done = !first_query_q || row_q == RowW'(offsets_o - 6'd2) ||
                     streamed_q + 1'b1 == total_keys;
      end
      default: phase_done = 1'b1;
    endcase
  end
  assign query_done = take_o && row_done && state_q == Queries;
  assign chunk_done = (query_done && query_last) ||
                      (take_o && row_done && phase_done && state_q == Values &&
                       query_left == '0);

  // A query, behind the rows of its window.
  state_e first_query, next_query;
  assign first_query = (!command_i[2] && command_i[11:6] > 6'd1 && streamed_q != total_keys) ?
                       Window : Queries;
  assign next_query = (streams && streamed_q != total_keys) ? Window : Queries;

  always_comb begin
    state_d = state_q;
    if (take_command) begin
      if (command_i[1] && !command_i[0]) state_d = Tables;
      else if (command_i[47:27] != '0) state_d = Keys;
      else state_d = first_query;
    end else if (chunk_done) begin
      if (keys_follow) state_d = Keys;
      else if (queries_follow) state_d = next_query;
      else state_d = Drain;
    end else if (take_o && row_done && phase_done) begin
      unique case (state_q)
        Tables: state_d = relative ? Positions : Keys;
        Positions: state_d = Keys;
        Keys: state_d = Values;
        Values, Window: state_d = Queries;
        default: state_d = next_query;
      endcase
    end else if (state_q == Drain && credits_d == CreditW'(Credits) && !merging_i &&
                 settle_q == '0) begin
      state_d = Idle;
    end
  end

  always_comb begin
    unique case (state_d)
      Tables: left_d = LeftW'(256);
      Values, Window: left_d = take_command ? LeftW'(command_i[26:20]) : LeftW'(columns_o);
      default: left_d = take_command ? LeftW'(command_i[19:12]) : LeftW'(width);
    endcase
  end

  assign credits_d = credits_q + CreditW'(give_i) - (query_done ? CreditW'(slots_q) : '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      command_q <= '0;
      left_q <= '0;
      beat_q <= '0;
      row_q <= '0;
      query_q <= '0;
      merged_q <= 1'b0;
      merging_q <= 1'b0;
      first_query_q <= 1'b0;
      enters_q <= 1'b0;
      streamed_q <= '0;
      slots_left_q <= '0;
      slots_q <= '0;
      settle_q <= '0;
      credits_q <= CreditW'(Credits);
    end else begin
      state_q <= state_d;
      merging_q <= merging_i;
      if (merging_i) settle_q <= 4'd10;
      else if (settle_q != '0) settle_q <= settle_q - 1'b1;
      credits_q <= credits_d;
      if (query_done) slots_left_q <= slots_q - 1'b1;
      else if (slots_left_q != '0) slots_left_q <= slots_left_q - 1'b1;
      if (take_command) begin
        command_q <= command_i;
        slots_q <= slots_d;
        left_q <= left_d;
        query_q <= '0;
        if (command_i[1]) begin
          merged_q <= 1'b0;
          first_query_q <= 1'b1;
          streamed_q <= '0;
        end
      end
      if (take_o) begin
        if (row_done) begin
          left_q <= left_d;
          beat_q <= '0;
          row_q <= phase_done ? '0 : row_q + 1'b1;
        end else begin
          left_q <= left_q - LeftW'(Lanes);
          // A table's beats are counted where it is written.
          beat_q <= beat_q + 1'b1;
        end
        if (state_q == Window) begin
          streamed_q <= streamed_q + 1'b1;
          enters_q <= !first_query_q;
        end
      end
      if (query_done) begin
        first_query_q <= 1'b0;
        enters_q <= 1'b0;
        query_q <= query_q + 1'b1;
      end
      if (chunk_done) begin
        query_q <= '0;
        command_q[47:27] <= keys_after;
        command_q[78:48] <= queries_after;
        if (chunk_keys != '0) merged_q <= 1'b1;
      end
    end
  end

  // Rows of K, Q and RP have as many beats: found out once per command.
  always_ff @(posedge clk_i) begin
    last_beat_o <= '0;
    for (int unsigned b = 1; b < Beats; b++)
      if (width > 8'(b * Lanes)) last_beat_o <= BeatW'(b);
  end

  // ------------------------------------------------ stage 1

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {clear_o, table_o, position_o, key_o, value_o, window_o, query_o, last_o} <= '0;
      chunk_end_o <= 1'b0;
    end else begin
      clear_o <= take_command && command_i[1];
      table_o <= take_o && state_q == Tables;
      position_o <= take_o && state_q == Positions;
      key_o <= take_o && state_q == Keys;
      value_o <= take_o && state_q == Values;
      window_o <= take_o && state_q == Window;
      query_o <= take_o && state_q == Queries;
      last_o <= query_done;
      chunk_end_o <= chunk_done && chunk_keys != '0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (take_o) begin
      lanes_o <= row_done ? LaneCountW'(left_q) : LaneCountW'(Lanes);
      row_o <= row_q;
      beat_o <= beat_q;
      first_o <= beat_q == '0;
      token_o <= TokenW'(query_q);
      visible_o <= causal_o ? visible : '0;
      merged_o <= merged_q;
      direct_o <= first_query_q;
      // Without a mask the first query meets the rows where they were put.
      shift_o <= relative && (causal_o || (streams && !first_query_q));
      enters_o <= causal_o ? query_q < chunk_keys : enters_q;
    end
  end

`ifndef SYNTHESIS
  IssueCreditsReturn: assert property (@(posedge clk_i) disable iff (!rst_ni)
      credits_q <= CreditW'(Credits));
  IssueIdleHoldsNothing: assert property (@(posedge clk_i) disable iff (!rst_ni)
      state_q == Idle |-> credits_q == CreditW'(Credits) && slots_left_q == '0 && !merging_i);
`endif

endmodule
