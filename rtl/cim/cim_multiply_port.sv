// The compute port: takes commands and codes, sequences the bit cycles of one
// token after the other and the read-out of their sums. Codes wait for a free
// input register, a token for a free output buffer, a read for a place in the
// output FIFO; nothing behind those ever stalls. It holds no codes and no sums
// and does not check what the macros hold.
// Timing contract and command layout: docs/engines/cim.md.
module cim_multiply_port #(
  parameter int unsigned Macros     = 32,
  parameter int unsigned Rows       = 64,
  parameter int unsigned Columns    = 16,
  parameter int unsigned Bits       = 8,
  parameter int unsigned InputBits  = 8,
  parameter int unsigned InputBytes = 16,
  parameter int unsigned Words      = 4,
  parameter int unsigned Buffers    = 4,
  parameter int unsigned FifoDepth  = 7,
  parameter int unsigned CommandW   = 117,
  parameter int unsigned Beats      = Rows / InputBytes,
  parameter int unsigned Parts      = Columns / Words,
  parameter int unsigned MacroW     = (Macros > 1) ? $clog2(Macros) : 1,
  parameter int unsigned TilesW     = $clog2(Macros + 1),
  parameter int unsigned ShiftW     = (InputBits > 1) ? $clog2(InputBits) : 1,
  parameter int unsigned BufferW    = $clog2(Buffers),
  parameter int unsigned WordsW     = $clog2(Words + 1)
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  input  logic                            command_valid_i,
  output logic                            command_ready_o,
  input  logic [            CommandW-1:0] command_i,
  input  logic                            input_valid_i,
  output logic                            input_ready_o,
  input  logic [        InputBytes*8-1:0] input_data_i,
  // To all macros.
  output logic                            start_o,
  output logic                            load_o,
  output logic                            load_to_o,
  output logic [              MacroW-1:0] load_base_o,   // Macros of the row tile: the first,
  output logic [              TilesW-1:0] load_macros_o, // and how many.
  output logic [               Beats-1:0] load_beat_o,   // One-hot.
  output logic [InputBits*InputBytes-1:0] load_codes_o,  // Bit by bit.
  output logic                            bit_o,
  output logic                            bit_from_o,
  output logic [              ShiftW-1:0] bit_index_o,
  output logic                            count_o,
  output logic [                Bits-1:0] used_o,
  output logic                            sum_o,
  output logic [                Bits-1:0] negative_o,
  output logic                            add_o,
  output logic                            first_o,
  output logic [              ShiftW-1:0] shift_o,
  output logic                            store_o,
  output logic [             BufferW-1:0] store_to_o,
  output logic                            read_o,
  output logic [             BufferW-1:0] read_from_o,
  output logic [              MacroW-1:0] read_column_o,
  output logic [               Parts-1:0] read_part_o,   // One-hot.
  output logic [              WordsW-1:0] read_words_o,
  output logic [                    16:0] read_mantissa_o,  // Of the token's reciprocal, or one.
  output logic [                     5:0] read_shift_o,
  // To the epilogue: settings of the command.
  output logic                            epilogue_o,
  output logic [                     1:0] width_o,
  output logic [                    15:0] factor_o,
  output logic [                     5:0] factor_shift_o,
  // From the output FIFO.
  input  logic                            given_i
);

  localparam int unsigned KW = ($clog2(Macros * Rows + 1) < 17) ? $clog2(Macros * Rows + 1) : 17;
  localparam int unsigned NW = $clog2(Macros * Columns + 1);
  localparam int unsigned TokensW = 16;
  localparam int unsigned InputBitsW = $clog2(InputBits + 1);
  localparam int unsigned BitsW = $clog2(Bits + 1);
  localparam int unsigned UsedW = $clog2(Buffers + 1);
  localparam int unsigned CreditW = $clog2(FifoDepth + 1);

  // ------------------------------------------------ command

  // Reciprocals of a beat; room for them beside those of six tokens that are on their way.
  localparam int unsigned PerBeat = InputBytes / 4;
  localparam int unsigned Scales = (PerBeat < 8) ? 16 / PerBeat * PerBeat : 2 * PerBeat;
  localparam int unsigned Groups = Scales / PerBeat;
  localparam int unsigned ScaleW = $clog2(Scales);
  localparam int unsigned GroupsW = $clog2(Groups);
  localparam int unsigned PerBeatW = (PerBeat > 1) ? $clog2(PerBeat) : 1;

  logic busy_q, signed_q, normalise_q;
  logic [4:0] fraction_bits_q;
  logic [MacroW-1:0] first_q;
  logic [TilesW-1:0] tiles_q;
  logic [KW-1:0] k_q;
  logic [NW-1:0] n_q;
  logic [InputBitsW-1:0] input_bits_q;
  logic [BitsW-1:0] weight_bits_q;
  logic [TokensW-1:0] command_tokens;
  assign command_tokens = command_i[61+:TokensW];

  logic take_command, take;
  assign command_ready_o = !busy_q;
  assign take_command = command_valid_i && command_ready_o;
  assign take = input_valid_i && input_ready_o;
  assign start_o = take_command;

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      first_q <= command_i[0+:MacroW];
      tiles_q <= command_i[12+:TilesW];
      k_q <= command_i[24+:KW];
      n_q <= command_i[41+:NW];
      input_bits_q <= command_i[77+:InputBitsW];
      signed_q <= command_i[81];
      weight_bits_q <= command_i[82+:BitsW];
      epilogue_o <= command_i[86];
      normalise_q <= command_i[87];
      width_o <= command_i[88+:2];
      fraction_bits_q <= command_i[90+:5];
      factor_o <= command_i[95+:16];
      factor_shift_o <= command_i[111+:6];
    end
  end

  logic release_buffer;

  // ------------------------------------------------ codes in

  logic [1:0] full_q;
  logic load_to_q;
  logic [MacroW-1:0] load_base_q;
  logic [Beats-1:0] load_beat_q;
  logic [KW-1:0] load_left_q;  // Codes from the next beat's first one on.
  logic [TokensW-1:0] load_tokens_q;
  logic load_last, scale_next_q, take_codes, take_scale;
  assign load_last = load_left_q <= KW'(InputBytes);
  assign take_scale = take && scale_next_q;
  assign take_codes = take && !scale_next_q;
  assign input_ready_o = busy_q && load_tokens_q != '0 && !full_q[load_to_q];

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      load_base_q <= command_i[0+:MacroW];
      load_beat_q <= Beats'(1);
      load_left_q <= command_i[24+:KW];
      load_tokens_q <= command_tokens;
    end else if (take_codes) begin
      load_left_q <= load_left_q - KW'(InputBytes);
      load_beat_q <= load_beat_q << 1;
      if (load_beat_q[Beats-1]) begin
        load_beat_q <= Beats'(1);
        load_base_q <= load_base_q + MacroW'(tiles_q);
      end
      if (load_last) begin
        load_left_q <= k_q;
        load_beat_q <= Beats'(1);
        load_base_q <= first_q;
        load_tokens_q <= load_tokens_q - 1'b1;
      end
    end
  end

  assign load_o = take_codes;
  assign load_to_o = load_to_q;
  assign load_base_o = load_base_q;
  assign load_macros_o = tiles_q;
  assign load_beat_o = load_beat_q;
  always_comb begin
    load_codes_o = '0;
    if (take_codes) begin
      for (int unsigned b = 0; b < InputBits; b++) begin
        for (int unsigned i = 0; i < InputBytes; i++) begin
          load_codes_o[b*InputBytes+i] = input_data_i[i*8+b] && KW'(i) < load_left_q;
        end
      end
    end
  end

  // Reciprocals come in beats, each before the tokens that it is for, and wait for the
  // reads of their sums.
  logic [Scales*17-1:0] mantissa_q;
  logic [Scales*6-1:0] shift_q;
  logic [ScaleW-1:0] scale_from_q;  // Of the token that is read.
  logic [GroupsW-1:0] scale_group_q;
  logic [PerBeatW-1:0] token_of_group_q;
  always_ff @(posedge clk_i) begin
    if (take_command) begin
      scale_next_q <= command_i[87];
      token_of_group_q <= '0;
      scale_group_q <= '0;
    end else if (take_scale) begin
      scale_next_q <= 1'b0;
      scale_group_q <= (scale_group_q == GroupsW'(Groups - 1)) ? '0 : scale_group_q + 1'b1;
    end else if (take_codes && load_last) begin
      scale_next_q <= normalise_q && token_of_group_q == PerBeatW'(PerBeat - 1);
      token_of_group_q <=
          (token_of_group_q == PerBeatW'(PerBeat - 1)) ? '0 : token_of_group_q + 1'b1;
    end
    if (take_scale) begin
      for (int unsigned i = 0; i < Scales; i++) begin
        if (scale_group_q == GroupsW'(i / PerBeat)) begin
          mantissa_q[i*17+:17] <= input_data_i[(i%PerBeat)*32+:17];
          shift_q[i*6+:6] <= input_data_i[(i%PerBeat)*32+24+:6] - 6'(fraction_bits_q);
        end
      end
    end
    if (take_command) scale_from_q <= '0;
    else if (release_buffer && normalise_q)
      scale_from_q <= (scale_from_q == ScaleW'(Scales - 1)) ? '0 : scale_from_q + 1'b1;
  end
  always_comb begin
    read_mantissa_o = 17'd1;
    read_shift_o = '0;
    for (int unsigned i = 0; i < Scales; i++) begin
      if (normalise_q && scale_from_q == ScaleW'(i)) begin
        read_mantissa_o = mantissa_q[i*17+:17];
        read_shift_o = shift_q[i*6+:6];
      end
    end
  end

  // ------------------------------------------------ bit cycles

  logic bit_from_q, bit_last, launch;
  logic [ShiftW-1:0] bit_q;
  logic [UsedW-1:0] used_buffers_q;
  assign bit_o = full_q[bit_from_q] && (bit_q != '0 || used_buffers_q != UsedW'(Buffers));
  assign bit_from_o = bit_from_q;
  assign bit_index_o = bit_q;
  assign bit_last = InputBitsW'(bit_q) + 1'b1 == input_bits_q;
  assign launch = bit_o && bit_q == '0;

  logic count_q, sum_q, add_q, store_q;  // A stage each.
  logic count_last_q, sum_last_q, add_last_q;
  logic [ShiftW-1:0] count_index_q, sum_index_q, add_index_q;
  logic [BufferW-1:0] store_to_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bit_q <= '0;
      bit_from_q <= 1'b0;
      load_to_q <= 1'b0;
      full_q <= '0;
      {count_q, sum_q, add_q, store_q} <= '0;
      store_to_q <= '0;
    end else begin
      if (take_codes && load_last) begin
        full_q[load_to_q] <= 1'b1;
        load_to_q <= !load_to_q;
      end
      if (bit_o) bit_q <= bit_last ? '0 : bit_q + 1'b1;
      if (bit_o && bit_last) begin
        full_q[bit_from_q] <= 1'b0;
        bit_from_q <= !bit_from_q;
      end
      count_q <= bit_o;
      sum_q <= count_q;
      add_q <= sum_q;
      store_q <= add_q && add_last_q;
      if (store_q) store_to_q <= store_to_q + 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (bit_o) count_index_q <= bit_q;
    if (count_q) sum_index_q <= count_index_q;
    if (sum_q) add_index_q <= sum_index_q;
    if (bit_o) count_last_q <= bit_last;
    if (count_q) sum_last_q <= count_last_q;
    if (sum_q) add_last_q <= sum_last_q;
  end

  // The sign bit of signed codes subtracts, and so does the weights'.
  always_comb begin
    for (int unsigned b = 0; b < Bits; b++) begin
      used_o[b] = BitsW'(b) < weight_bits_q;
      negative_o[b] = (BitsW'(b) + 1'b1 == weight_bits_q) != (signed_q && sum_last_q);
    end
  end
  assign count_o = count_q;
  assign sum_o = sum_q;
  assign add_o = add_q;
  assign first_o = add_index_q == '0;
  assign shift_o = add_index_q;
  assign store_o = store_q;
  assign store_to_o = store_to_q;

  // ------------------------------------------------ read-out

  logic [UsedW-1:0] stored_q;  // Tokens in the output buffers.
  logic [CreditW-1:0] credits_q, credits_d;
  logic [BufferW-1:0] read_from_q;
  logic [MacroW-1:0] read_column_q;
  logic [Parts-1:0] read_part_q;
  logic [NW-1:0] read_left_q;  // Columns from the next read's first one on.
  logic [TokensW-1:0] read_tokens_q;
  logic read_last;
  assign read_o = stored_q != '0 && credits_q != '0;
  assign read_last = read_left_q <= NW'(Words);
  assign release_buffer = read_o && read_last;
  assign read_from_o = read_from_q;
  assign read_column_o = read_column_q;
  assign read_part_o = read_part_q;
  assign read_words_o = read_last ? read_left_q[WordsW-1:0] : WordsW'(Words);
  assign credits_d = credits_q - CreditW'(read_o) + CreditW'(given_i);

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      read_column_q <= '0;
      read_part_q <= Parts'(1);
      read_left_q <= command_i[41+:NW];
      read_tokens_q <= command_tokens;
    end else if (read_o) begin
      read_left_q <= read_left_q - NW'(Words);
      read_part_q <= read_part_q << 1;
      if (read_part_q[Parts-1]) begin
        read_part_q <= Parts'(1);
        read_column_q <= read_column_q + 1'b1;
      end
      if (read_last) begin
        read_left_q <= n_q;
        read_part_q <= Parts'(1);
        read_column_q <= '0;
        read_tokens_q <= read_tokens_q - 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      used_buffers_q <= '0;
      stored_q <= '0;
      credits_q <= CreditW'(FifoDepth);
      read_from_q <= '0;
    end else begin
      if (take_command) busy_q <= 1'b1;
      else if (read_tokens_q == '0 && credits_d == CreditW'(FifoDepth)) busy_q <= 1'b0;
      used_buffers_q <= used_buffers_q + UsedW'(launch) - UsedW'(release_buffer);
      stored_q <= stored_q + UsedW'(store_q) - UsedW'(release_buffer);
      credits_q <= credits_d;
      if (release_buffer) read_from_q <= read_from_q + 1'b1;
    end
  end

`ifndef SYNTHESIS
  StoreInUsedBuffer: assert property (@(posedge clk_i) disable iff (!rst_ni)
      store_q |-> stored_q < used_buffers_q);
  CreditsInRange: assert property (@(posedge clk_i) disable iff (!rst_ni)
      credits_q <= CreditW'(FifoDepth));
  IdleIsEmpty: assert property (@(posedge clk_i) disable iff (!rst_ni)
      !busy_q |-> full_q == '0 && used_buffers_q == '0);
`endif

endmodule
