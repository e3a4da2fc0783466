// The DAMF engine: one packed command, one input and one output stream of
// ready/valid beats. Issue waits for beats and for places in the output FIFO;
// everything behind it never stalls. Pins are Moore: no output depends on an
// input of the same cycle. It addresses no memory and checks no command:
// shapes beyond the parameters are the sender's fault.
// Timing contract and command layout: docs/engines/damf.md.
module damf_engine #(
  parameter int unsigned Lanes         = 4,
  parameter int unsigned QueryRows     = 2,
  parameter int unsigned MaxTokens     = 512,
  parameter int unsigned MaxModelWidth = 256,
  parameter int unsigned CommandW      = 171,
  parameter int unsigned BytesW        = $clog2(4 * Lanes + 1)
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

  localparam int unsigned CountW = 16;
  localparam int unsigned TokenW = $clog2(MaxTokens + 1);
  localparam int unsigned TokenAddrW = (MaxTokens > 1) ? $clog2(MaxTokens) : 1;
  localparam int unsigned SlotW = (QueryRows > 1) ? $clog2(QueryRows) : 1;
  localparam int unsigned RowsW = $clog2(QueryRows + 1);
  localparam int unsigned Chunks = (MaxModelWidth + Lanes - 1) / Lanes;
  localparam int unsigned ChunkW = (Chunks > 1) ? $clog2(Chunks) : 1;
  localparam int unsigned AccW = 25 + TokenW;
  localparam int unsigned FifoDepth = QueryRows + 20;
  localparam int unsigned CreditW = $clog2(FifoDepth + 1);
  // Row r meets a key r cycles after row 0, its values 4 later; the collapsed
  // form 8 cycles after row 0's first stage.
  localparam int unsigned Chain = (QueryRows + 3 > 8) ? QueryRows + 3 : 8;

  // ------------------------------------------------ command

  logic [CommandW-1:1] command_q;  // Bit 0, the kind, only picks the first state.
  logic per_row, absolute, clamp, each, causal, collapsed, shift;
  logic [4:0] guard;
  logic [CountW-1:0] tokens, width;
  logic [40:0] threshold_low, threshold_high;
  logic [15:0] s_mantissa, t_mantissa;
  logic [5:0] s_shift, t_shift;
  logic [15:0] short_low_q, short_high_q;

  assign shift = command_q[2:1] == 2'd1;
  assign collapsed = command_q[2:1] == 2'd2;
  assign per_row = command_q[4:3] == 2'd1;
  assign absolute = command_q[4:3] == 2'd2;
  assign clamp = command_q[5];
  assign each = command_q[6];
  assign guard = command_q[11:7];
  assign causal = command_q[12];
  assign tokens = command_q[28:13];
  assign width = command_q[44:29];
  assign threshold_low = command_q[85:45];
  assign threshold_high = command_q[126:86];
  assign s_mantissa = command_q[142:127];
  assign s_shift = command_q[148:143];
  assign t_mantissa = command_q[164:149];
  assign t_shift = command_q[170:165];

  // A magnitude of 15 bits, normalised, has zeros below its 14th fraction bit:
  // it reaches a threshold when it reaches the threshold rounded up.
  always_ff @(posedge clk_i) begin
    short_low_q <= 16'(threshold_low[40:25]) + 16'(|threshold_low[24:0]);
    short_high_q <= 16'(threshold_high[40:25]) + 16'(|threshold_high[24:0]);
  end

  // ------------------------------------------------ issue: state

  typedef enum logic [2:0] {
    Idle,
    LoadU,
    LoadV,
    Tokens,
    Pairs,
    Array,
    Collapsed,
    Drain
  } state_e;

  state_e state_q;
  logic [CountW-1:0] key_q;  // Token of the next beat.
  logic [CountW-1:0] left_q;  // Columns from the next beat's first one on.
  logic [ChunkW-1:0] chunk_q;
  logic [CountW-1:0] block_q, block_end_q;  // Query rows of the block: first, one after its last.
  logic [CountW-1:0] setup_row_q, setup_limit_q;  // Rows for the row pipeline.
  logic [SlotW-1:0] setup_slot_q;
  logic prepared, prepared_q;
  logic [CountW-1:0] emit_row_q, emit_left_q;  // Rows of a collapsed group.
  logic emit_tail_q;
  logic [CreditW-1:0] credits_q;
  logic [BytesW-1:0] tail_bytes_q;

  logic last_columns;
  assign last_columns = left_q <= CountW'(Lanes);

  logic [RowsW-1:0] block_rows;
  logic [CountW-1:0] block_keys;
  logic first_of_block, last_key;
  assign block_rows = RowsW'(block_end_q) - RowsW'(block_q);
  assign block_keys = (causal && !collapsed) ? block_end_q : tokens;
  assign last_key = (key_q + 1'b1) == block_keys;
  assign first_of_block = (key_q == '0) && (left_q == width);

  logic credit, emitted;
  assign credit = credits_q != '0;
  assign emitted = (emit_left_q == '0) || ((emit_left_q == CountW'(1)) && credit);

  always_comb begin
    unique case (state_q)
      LoadU, LoadV, Pairs: input_ready_o = 1'b1;
      Tokens: input_ready_o = !last_columns || credit;
      Array: begin
        input_ready_o = (!first_of_block || prepared_q) &&
                        (!last_key || credits_q >= CreditW'(block_rows));
      end
      Collapsed: input_ready_o = causal ? credit : (!last_key || emitted);
      default: input_ready_o = 1'b0;
    endcase
  end
  assign command_ready_o = state_q == Idle;

  logic take_command, take, give;
  logic take_array, take_collapsed, take_token;
  assign take_command = command_valid_i && command_ready_o;
  assign take = input_valid_i && input_ready_o;
  assign give = output_valid_o && output_ready_i;
  assign take_token = take && state_q == Tokens;
  assign take_array = take && state_q == Array;
  assign take_collapsed = take && state_q == Collapsed;

  // ------------------------------------------------ issue: row pipeline

  logic setup, emit, issue;
  logic [TokenW-1:0] issue_row;
  assign setup = state_q == Array && setup_row_q != setup_limit_q;
  assign emit = emit_left_q != '0 && credit;
  assign issue = setup || emit || (take_collapsed && causal);
  always_comb begin
    if (setup) issue_row = TokenW'(setup_row_q);
    else if (emit) issue_row = TokenW'(emit_row_q);
    else issue_row = TokenW'(key_q);
  end

  // ------------------------------------------------ issue: credits

  logic [CreditW-1:0] reserved;
  always_comb begin
    reserved = '0;
    if (take_token && last_columns) reserved = CreditW'(1);
    if (take_array && last_key) reserved = CreditW'(block_rows);
    if (emit || (take_collapsed && causal)) reserved = CreditW'(1);
  end

  logic [CreditW-1:0] credits_d;
  assign credits_d = credits_q - reserved + CreditW'(give);

  // ------------------------------------------------ issue: next state

  // Where the next block ends: of the row pipeline, which runs ahead, and of the
  // array, whose readiness for a beat is too long a path to start from a sum.
  logic [CountW-1:0] command_tokens, setup_target, block_target;
  assign command_tokens = command_i[28:13];
  assign setup_target = (tokens - setup_limit_q < CountW'(QueryRows)) ?
                        tokens : setup_limit_q + CountW'(QueryRows);
  assign block_target = (tokens - block_end_q < CountW'(QueryRows)) ?
                        tokens : block_end_q + CountW'(QueryRows);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      command_q <= '0;
      key_q <= '0;
      left_q <= '0;
      chunk_q <= '0;
      block_q <= '0;
      block_end_q <= '0;
      setup_row_q <= '0;
      setup_limit_q <= '0;
      setup_slot_q <= '0;
      prepared_q <= 1'b0;
      emit_row_q <= '0;
      emit_left_q <= '0;
      emit_tail_q <= 1'b0;
      tail_bytes_q <= '0;
      credits_q <= CreditW'(FifoDepth);
    end else begin
      credits_q <= credits_d;
      if (prepared) prepared_q <= 1'b1;
      if (setup) begin
        setup_row_q <= setup_row_q + 1'b1;
        setup_slot_q <= (setup_slot_q == SlotW'(QueryRows - 1)) ? '0 : setup_slot_q + 1'b1;
      end
      if (emit) begin
        emit_row_q <= emit_row_q + 1'b1;
        emit_left_q <= emit_left_q - 1'b1;
      end

      if (take_command) begin
        command_q <= command_i[CommandW-1:1];
        state_q <= command_i[0] ? Pairs : LoadU;
        key_q <= '0;
        left_q <= command_i[44:29];
        chunk_q <= '0;
        block_q <= '0;
        block_end_q <= (command_tokens < CountW'(QueryRows)) ? command_tokens : CountW'(QueryRows);
        setup_row_q <= '0;
        setup_limit_q <= '0;
        setup_slot_q <= '0;
        prepared_q <= 1'b0;
      end

      if (take) begin
        unique case (state_q)
          LoadU, LoadV, Tokens: begin
            left_q <= last_columns ? width : left_q - CountW'(Lanes);
            chunk_q <= last_columns ? '0 : chunk_q + 1'b1;
            if (last_columns) begin
              if (state_q == LoadU) state_q <= LoadV;
              if (state_q == LoadV) state_q <= Tokens;
              if (state_q == Tokens) begin
                key_q <= key_q + 1'b1;
                if (last_key) state_q <= Drain;
              end
            end
          end
          Pairs: begin
            key_q <= key_q + 1'b1;
            if (key_q + 1'b1 == tokens) begin
              key_q <= '0;
              state_q <= collapsed ? Collapsed : Array;
              if (!collapsed) setup_limit_q <= setup_target;
            end
          end
          Array: begin
            if (first_of_block) begin
              prepared_q <= 1'b0;
              setup_limit_q <= setup_target;
            end
            if (last_columns) tail_bytes_q <= BytesW'({left_q, 2'b00});
            key_q <= key_q + 1'b1;
            if (last_key) begin
              key_q <= '0;
              left_q <= last_columns ? width : left_q - CountW'(Lanes);
              if (last_columns) begin
                block_q <= block_end_q;
                block_end_q <= block_target;
                if (block_end_q == tokens) state_q <= Drain;
              end
            end
          end
          Collapsed: begin
            if (last_columns) tail_bytes_q <= BytesW'({left_q, 2'b00});
            key_q <= key_q + 1'b1;
            if (last_key) begin
              key_q <= '0;
              left_q <= left_q - CountW'(Lanes);
              if (last_columns) state_q <= Drain;
              if (!causal) begin
                emit_row_q <= '0;
                emit_left_q <= tokens;
                emit_tail_q <= last_columns;
              end
            end
          end
          default: ;
        endcase
      end

      if (state_q == Drain && emit_left_q == '0 && credits_d == CreditW'(FifoDepth)) begin
        state_q <= Idle;
      end
    end
  end

  // ------------------------------------------------ input beat

  // Lanes beyond the width are zero from here on.
  logic [Lanes*8-1:0] data, data_q;
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_mask
    assign data[lane*8+:8] = (CountW'(lane) < left_q) ? input_data_i[lane*8+:8] : '0;
  end

  logic load_q, load_first_q;
  logic [15:0] pair_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) load_q <= 1'b0;
    else load_q <= take && state_q == Pairs;
  end
  always_ff @(posedge clk_i) begin
    load_first_q <= key_q == '0;
    pair_q <= input_data_i[15:0];
    data_q <= data;
  end

  // Each pair twice: for the row pipeline and for the keys.
  logic [15:0] row_pair;
  logic signed [7:0] key_t;
  logic write_pair;
  assign write_pair = take && state_q == Pairs;
  prim_sram #(
    .Width(16),
    .Depth(MaxTokens)
  ) u_pairs (
    .clk_i,
    .write_i     (write_pair),
    .write_addr_i(key_q[TokenAddrW-1:0]),
    .write_data_i(input_data_i[15:0]),
    .read_i      (issue),
    .read_addr_i (issue_row[TokenAddrW-1:0]),
    .read_data_o (row_pair)
  );
  prim_sram #(
    .Width(8),
    .Depth(MaxTokens)
  ) u_keys (
    .clk_i,
    .write_i     (write_pair),
    .write_addr_i(key_q[TokenAddrW-1:0]),
    .write_data_i(input_data_i[15:8]),
    .read_i      (take_array || take_collapsed),
    .read_addr_i (key_q[TokenAddrW-1:0]),
    .read_data_o (key_t)
  );

  // ------------------------------------------------ project

  logic project_valid;
  logic [15:0] project_pair;
  damf_project #(
    .Lanes        (Lanes),
    .MaxModelWidth(MaxModelWidth)
  ) u_project (
    .clk_i,
    .rst_ni,
    .s_mantissa_i(s_mantissa),
    .s_shift_i   (s_shift),
    .t_mantissa_i(t_mantissa),
    .t_shift_i   (t_shift),
    .write_u_i   (take && state_q == LoadU),
    .write_v_i   (take && state_q == LoadV),
    .token_i     (take_token),
    .first_i     (left_q == width),
    .last_i      (last_columns),
    .chunk_i     (chunk_q),
    .data_i      (data),
    .data_q_i    (data_q),
    .pair_valid_o(project_valid),
    .pair_o      (project_pair)
  );

  // ------------------------------------------------ row pipeline

  logic row_valid, row_tail, row_uniform, row_shift, combine_uniform;
  logic [SlotW-1:0] row_slot;
  logic signed [7:0] select_s, combine_s, row_s;
  logic signed [15:0] combine_a_max, row_a_max;
  logic [4:0] row_exponent_max, row_term_shift;
  logic [16:0] row_mantissa;
  logic [5:0] row_output_shift;
  damf_row_pipeline #(
    .MaxTokens(MaxTokens),
    .SlotW    (SlotW)
  ) u_rows (
    .clk_i,
    .rst_ni,
    .tokens_i          (tokens[TokenW-1:0]),
    .per_row_i         (per_row),
    .abs_i             (absolute),
    .clamp_i           (clamp),
    .causal_i          (causal),
    .shift_i           (shift),
    .each_i            (each),
    .guard_i           (guard),
    .threshold_low_i   (threshold_low),
    .threshold_high_i  (threshold_high),
    .load_i            (load_q),
    .load_first_i      (load_first_q),
    .load_s_i          (pair_q[7:0]),
    .load_t_i          (pair_q[15:8]),
    .issue_i           (issue),
    .issue_row_i       (issue_row),
    .issue_slot_i      (setup_slot_q),
    .issue_tail_i      (emit ? emit_tail_q : last_columns),
    .pair_s_i          (row_pair[7:0]),
    .pair_t_i          (row_pair[15:8]),
    .select_s_o        (select_s),
    .combine_s_o       (combine_s),
    .combine_a_max_o   (combine_a_max),
    .combine_uniform_o (combine_uniform),
    .prepared_o        (prepared),
    .row_valid_o       (row_valid),
    .row_slot_o        (row_slot),
    .row_tail_o        (row_tail),
    .row_s_o           (row_s),
    .row_a_max_o       (row_a_max),
    .row_uniform_o     (row_uniform),
    .row_shift_o       (row_shift),
    .row_exponent_max_o(row_exponent_max),
    .row_term_shift_o  (row_term_shift),
    .row_mantissa_o    (row_mantissa),
    .row_output_shift_o(row_output_shift)
  );

  // ------------------------------------------------ chain of keys

  // Entry 0 holds the beat accepted in the cycle before; its t comes out of
  // the buffer in that same cycle.
  logic [Chain:0] array_q, collapsed_q, first_of_block_q, first_q, last_q, tail_q;
  logic [SlotW-1:0] beyond_q[Chain+1];
  logic [SlotW-1:0] last_row_q[Chain+1];
  logic signed [7:0] t_q[1:Chain];
  logic signed [7:0] t[Chain+1];
  logic [Lanes*8-1:0] values[Chain+1];
  assign t[0] = key_t;
  assign values[0] = data_q;
  for (genvar k = 1; k <= Chain; k++) begin : gen_chain
    // A stage of a systolic chain moves in every cycle; nothing addresses it.
    logic [Lanes*8-1:0] value_q;
    assign t[k] = t_q[k];
    assign values[k] = value_q;
    always_ff @(posedge clk_i) begin
      t_q[k] <= t[k-1];
      value_q <= values[k-1];
      beyond_q[k] <= beyond_q[k-1];
      last_row_q[k] <= last_row_q[k-1];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      array_q <= '0;
      collapsed_q <= '0;
    end else begin
      array_q <= {array_q[Chain-1:0], take_array};
      collapsed_q <= {collapsed_q[Chain-1:0], take_collapsed};
    end
  end
  always_ff @(posedge clk_i) begin
    first_of_block_q <= {first_of_block_q[Chain-1:0], first_of_block};
    first_q <= {first_q[Chain-1:0], key_q == '0};
    last_q <= {last_q[Chain-1:0], last_key};
    tail_q <= {tail_q[Chain-1:0], last_columns};
    // How far the key lies beyond the block's first row: masked for rows before.
    beyond_q[0] <= (causal && key_q > block_q) ? SlotW'(key_q - block_q) : '0;
    // Rows beyond the last token give nothing.
    last_row_q[0] <= SlotW'(block_rows - 1'b1);
  end

  // ------------------------------------------------ array

  logic [QueryRows-1:0] done, done_tail;
  logic [QueryRows*Lanes*AccW-1:0] row_sums;
  logic [QueryRows*17-1:0] row_mantissas;
  logic [QueryRows*6-1:0] row_output_shifts;
  for (genvar r = 0; r < QueryRows; r++) begin : gen_row
    damf_query_row #(
      .Lanes(Lanes),
      .SlotW(SlotW),
      .AccW (AccW)
    ) u_row (
      .clk_i,
      .rst_ni,
      .row_i               (SlotW'(r)),
      .clamp_i             (clamp),
      .threshold_low_i     (short_low_q),
      .threshold_high_i    (short_high_q),
      .load_i              (row_valid && row_slot == SlotW'(r)),
      .load_s_i            (row_s),
      .load_a_max_i        (row_a_max),
      .load_uniform_i      (row_uniform),
      .load_shift_i        (row_shift),
      .load_exponent_max_i (row_exponent_max),
      .load_term_shift_i   (row_term_shift),
      .load_mantissa_i     (row_mantissa),
      .load_output_shift_i (row_output_shift),
      .key_valid_i         (array_q[r]),
      .key_first_of_block_i(first_of_block_q[r]),
      .key_first_i         (first_q[r]),
      .key_last_i          (last_q[r] && SlotW'(r) <= last_row_q[r]),
      .key_tail_i          (tail_q[r]),
      .key_beyond_i        (beyond_q[r]),
      .key_t_i             (t[r]),
      .values_i            (values[r+4]),
      .done_o              (done[r]),
      .done_tail_o         (done_tail[r]),
      .sums_o              (row_sums[r*Lanes*AccW+:Lanes*AccW]),
      .mantissa_o          (row_mantissas[r*17+:17]),
      .output_shift_o      (row_output_shifts[r*6+:6])
    );
  end

  // ------------------------------------------------ collapsed form

  logic [Lanes*AccW-1:0] collapsed_sums;
  damf_collapse #(
    .Lanes (Lanes),
    .TokenW(TokenW),
    .AccW  (AccW)
  ) u_collapse (
    .clk_i,
    .rst_ni,
    .clamp_i          (clamp),
    .causal_i         (causal),
    .key_valid_i      (collapsed_q[8]),
    .key_first_i      (first_q[8]),
    .key_last_i       (last_q[8]),
    .key_t_i          (t[8]),
    .values_i         (values[8]),
    .select_s_i       (select_s),
    .combine_s_i      (combine_s),
    .combine_a_max_i  (combine_a_max),
    .combine_uniform_i(combine_uniform),
    .sums_o           (collapsed_sums)
  );

  // ------------------------------------------------ normalise and give

  // At most one row is done per cycle: a key group has at least as many keys
  // as its block has rows.
  logic sum_valid, sum_tail;
  logic [Lanes*AccW-1:0] sums;
  logic [16:0] sum_mantissa;
  logic [5:0] sum_shift;
  always_comb begin
    sum_valid = 1'b0;
    sum_tail = row_tail;
    sums = collapsed_sums;
    sum_mantissa = row_mantissa;
    sum_shift = row_output_shift;
    if (collapsed) begin
      sum_valid = row_valid;
    end else begin
      for (int unsigned r = 0; r < QueryRows; r++) begin
        if (done[r]) begin
          sum_valid = 1'b1;
          sum_tail = done_tail[r];
          sums = row_sums[r*Lanes*AccW+:Lanes*AccW];
          sum_mantissa = row_mantissas[r*17+:17];
          sum_shift = row_output_shifts[r*6+:6];
        end
      end
    end
  end

  logic normal_valid, normal_tail;
  logic [Lanes*32-1:0] normal;
  damf_normalise #(
    .Lanes (Lanes),
    .TokenW(TokenW),
    .AccW  (AccW)
  ) u_normalise (
    .clk_i,
    .rst_ni,
    .valid_i       (sum_valid),
    .tail_i        (sum_tail),
    .sums_i        (sums),
    .mantissa_i    (sum_mantissa),
    .output_shift_i(sum_shift),
    .valid_o       (normal_valid),
    .tail_o        (normal_tail),
    .outputs_o     (normal)
  );

  localparam int unsigned EntryW = BytesW + Lanes * 32;
  logic [EntryW-1:0] entry;
  always_comb begin
    entry[Lanes*32-1:0] = normal;
    entry[EntryW-1:Lanes*32] = normal_tail ? tail_bytes_q : BytesW'(4 * Lanes);
    if (project_valid) begin
      entry = '0;
      entry[15:0] = project_pair;
      entry[EntryW-1:Lanes*32] = BytesW'(2);
    end
  end

  prim_fifo #(
    .Width(EntryW),
    .Depth(FifoDepth)
  ) u_output (
    .clk_i,
    .rst_ni,
    .push_i (normal_valid || project_valid),
    .data_i (entry),
    .valid_o(output_valid_o),
    .ready_i(output_ready_i),
    .data_o ({output_bytes_o, output_data_o})
  );

`ifndef SYNTHESIS
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

  OneRowDone: assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0(done));
  OneSource: assert property (@(posedge clk_i) disable iff (!rst_ni)
      !(normal_valid && project_valid));
  CreditsInRange: assert property (@(posedge clk_i) disable iff (!rst_ni)
      credits_q <= CreditW'(FifoDepth));
`endif

endmodule
