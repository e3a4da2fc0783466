// SinkhornScale: the scalings of a matrix, or of a batch, held in banks that
// serve its rows and its columns, or streamed anew for every sweep. Pins are
// Moore: no output depends on an input of the same cycle. It addresses no memory
// and checks no command: what does not fit is the sender's fault.
// Timing contract and command layout: docs/engines/sinkhorn.md.
module sinkhorn_scale #(
  parameter int unsigned Lanes        = 4,
  parameter int unsigned TileElements = 1024,
  parameter int unsigned MaxLines     = 512,
  parameter int unsigned LogUnits     = 2,
  parameter bit          Skewed       = 1'b1,
  parameter int unsigned CommandW     = 228,
  parameter int unsigned BytesW       = $clog2(4 * Lanes + 1)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                command_valid_i,
  output logic                command_ready_o,
  input  logic [CommandW-1:0] command_i,
  input  logic                input_valid_i,
  output logic                input_ready_o,
  input  logic [Lanes*32-1:0] input_data_i,
  output logic                repeat_input_o,
  output logic                output_valid_o,
  input  logic                output_ready_i,
  output logic [Lanes*32-1:0] output_data_o,
  output logic [  BytesW-1:0] output_bytes_o,
  // Status, in the cycle after a sweep was judged.
  output logic                sweep_end_o,
  output logic                block_end_o,
  output logic                sweep_kept_o,
  output logic [        20:0] sweep_o,
  output logic [        30:0] row_residual_o,
  output logic [        30:0] column_residual_o
);

  localparam int unsigned LaneW = $clog2(Lanes);
  localparam int unsigned CntW = $clog2(Lanes + 1);
  localparam int unsigned LineW = $clog2(MaxLines + 1);
  localparam int unsigned LineWords = (MaxLines + Lanes - 1) / Lanes;
  localparam int unsigned WordW = (LineWords > 1) ? $clog2(LineWords) : 1;
  localparam int unsigned SumWordW = $clog2(LineWords + 1);
  localparam int unsigned BlockW = $clog2(Lanes * LineWords + 1);
  localparam int unsigned TileWords = TileElements / Lanes;
  localparam int unsigned TileW = $clog2(TileWords);
  localparam int unsigned HalfWords = (TileWords + 1) / 2;
  localparam int unsigned HalfW = (HalfWords > 1) ? $clog2(HalfWords) : 1;
  localparam int unsigned ChunkColumns = TileElements / 2 / Lanes / Lanes * Lanes;
  localparam int unsigned DrainW = $clog2((Lanes + LogUnits - 1) / LogUnits + 1);
  // 4,096 terms of at most 2^30.
  localparam int unsigned SumW = 31 + $clog2(MaxLines);
  localparam int unsigned FifoDepth = 17;
  localparam int unsigned CreditW = $clog2(FifoDepth + 1);
  localparam int unsigned LoadLatency = 3;
  localparam int unsigned SweepLatency = 19;
  localparam int unsigned MaximumLatency = 3;
  localparam int unsigned ScaleLatency = 6;
  localparam int unsigned HeldSumW = 46;
  localparam logic [31:0] UnitScaling = {2'b0, 6'd39, 7'b0, 17'h8000};  // 1, held K.
  localparam int unsigned CountW = 20;

  // ------------------------------------------------ command

  logic [CommandW-1:1] command_q;
  logic [LineW-1:0] rows, columns;
  logic [BlockW-1:0] block;
  logic [CntW-1:0] element_beat, kernel_beat, row_beat, column_beat, count_beat;
  logic [1:0] element_run, kernel_run;
  logic held, in_place;  // K is held; and normalised where it lies.
  logic [15:0] inverse_mantissa;
  logic [5:0] inverse_shift;
  logic four_bytes, kernel_wanted, causal, warm, damped, stop, verify, resident;
  logic [15:0] factor_mantissa;
  logic [5:0] factor_shift;
  logic [3:0] left_shift;
  logic [CountW-1:0] half_steps;
  logic [30:0] tolerance;
  logic signed [20:0] column_target;

  assign rows = command_q[29+:LineW];
  assign columns = command_q[42+:LineW];
  assign block = command_q[76+:BlockW];
  assign element_beat = command_q[89+:CntW];
  assign kernel_beat = command_q[96+:CntW];
  assign row_beat = command_q[103+:CntW];
  assign column_beat = command_q[110+:CntW];
  assign count_beat = command_q[117+:CntW];
  assign element_run = command_q[125:124];
  assign kernel_run = command_q[127:126];
  assign four_bytes = command_q[1];
  assign kernel_wanted = command_q[3];
  assign causal = command_q[2];
  assign warm = command_q[128];
  assign factor_mantissa = command_q[22:7];
  assign factor_shift = command_q[28:23];
  assign left_shift = 4'd8 - 4'(command_q[6:4]);
  assign damped = command_q[131];
  assign half_steps = command_q[151:132];
  assign stop = command_q[152];
  assign tolerance = command_q[183:153];
  assign verify = command_q[184];
  assign column_target = command_q[205:185];
  assign resident = command_q[55];
  assign held = |command_q[130:129];
  assign in_place = command_q[130];
  assign inverse_mantissa = command_q[221:206];
  assign inverse_shift = command_q[227:222];

  // ------------------------------------------------ state

  typedef enum logic [2:0] {
    Idle,
    Load,  // Resident: the block comes in.
    Wait,  // A pipeline runs empty.
    Sweep,  // Steps; streamed: and input.
    Output,
    Flush
  } state_e;

  state_e state_q;
  logic [4:0] wait_q;
  logic sweep_starts_q;  // The wait is for the first sweep, not for a sweep's end.
  logic [CountW-1:0] batch_left_q;
  logic [CreditW-1:0] credits_q;

  logic take_command, take, give, block_starts, pass_starts, block_done;
  assign command_ready_o = state_q == Idle;
  assign take_command = command_valid_i && command_ready_o;
  assign take = input_valid_i && input_ready_o;
  assign give = output_valid_o && output_ready_i;

  // What a block's walks need before the command is registered.
  logic [CountW-1:0] batch_next;
  logic [BlockW-1:0] block_next, matrices_next, matrices_q;
  logic warm_next;
  assign block_next = command_ready_o ? command_i[76+:BlockW] : block;
  assign warm_next = command_ready_o ? command_i[128] : warm;
  assign batch_next = command_ready_o ? command_i[75:56] : batch_left_q - CountW'(matrices_q);
  assign matrices_next = (batch_next < CountW'(block_next)) ? batch_next[BlockW-1:0] : block_next;

  // ------------------------------------------------ lanes of a matrix

  // Matrices of `stride` lanes side by side; a wide one has all lanes.
  logic [LineW-1:0] longest;
  logic wide_d, wide_q;
  logic [CntW-1:0] stride_d, stride_q, side_by_side_d, side_by_side_q, full_span_d, full_span_q;
  logic [Lanes*LaneW-1:0] place_d, place_q;  // Of a lane in its matrix.
  logic [Lanes*CntW-1:0] number_d, number_q;  // Of its matrix.
  assign longest =
      (command_i[29+:LineW] > command_i[42+:LineW]) ? command_i[29+:LineW] : command_i[42+:LineW];
  assign wide_d = longest > LineW'(Lanes);
  assign stride_d = wide_d ? CntW'(Lanes) : longest[CntW-1:0];
  // Each bit is an OR over the strides that set it: a tree, no chain of choices.
  logic [Lanes:1] is_stride, sets;
  always_comb begin
    for (int unsigned s = 1; s <= Lanes; s++) is_stride[s] = stride_d == CntW'(s);
    for (int unsigned b = 0; b < CntW; b++) begin
      for (int unsigned s = 1; s <= Lanes; s++) sets[s] = (((Lanes / s) >> b) & 1) != 0;
      side_by_side_d[b] = |(is_stride & sets);
      for (int unsigned s = 1; s <= Lanes; s++) sets[s] = (((Lanes / s * s) >> b) & 1) != 0;
      full_span_d[b] = |(is_stride & sets);
    end
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      for (int unsigned b = 0; b < LaneW; b++) begin
        for (int unsigned s = 1; s <= Lanes; s++) sets[s] = (((lane % s) >> b) & 1) != 0;
        place_d[lane*LaneW+b] = |(is_stride & sets);
      end
      for (int unsigned b = 0; b < CntW; b++) begin
        for (int unsigned s = 1; s <= Lanes; s++) sets[s] = (((lane / s) >> b) & 1) != 0;
        number_d[lane*CntW+b] = |(is_stride & sets);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      command_q <= command_i[CommandW-1:1];
      wide_q <= wide_d;
      stride_q <= stride_d;
      side_by_side_q <= side_by_side_d;
      full_span_q <= full_span_d;
      place_q <= place_d;
      number_q <= number_d;
    end
    if (block_starts) begin
      batch_left_q <= batch_next;
      matrices_q <= matrices_next;
    end
  end

  // ------------------------------------------------ walks

  typedef enum logic [1:0] {
    Rows,
    Columns,
    Last,  // Load: elements; output: counts.
    Kernel
  } section_e;

  section_e section_q, section_next;
  logic section_starts;  // In the next cycle.
  logic element_start, element_advance, line_start, line_advance;
  logic [LaneW-1:0] element_offset, line_offset, element_bank, element_phase, element_lane,
                    element_row_lane, line_lane;
  logic [CntW-1:0] element_length, line_length;
  logic element_ends_beat, element_ends_matrix, element_ends_block, line_ends_beat, line_ends_block;
  logic [TileW-1:0] element_word;
  logic [LineW-1:0] element_row, element_column;
  logic [WordW-1:0] element_state_word, element_row_word, element_column_word, line_word,
                    line_state_word;

  // What the element walk goes through: a matrix; streamed: the part of it that
  // comes in. Registers, for its lines end a long path of the walk.
  logic [LineW-1:0] walk_rows_q, walk_columns_q, start_rows, start_columns;
  logic [LineW-1:0] rows_left_q, columns_left_q, rows_left_next, columns_left_next;
  logic start_resident, walk_ends_row_q, walk_ends_q, chunk_in;
  assign start_rows = command_ready_o ? command_i[29+:LineW] : rows;
  assign start_columns = command_ready_o ? command_i[42+:LineW] : columns;
  assign start_resident = command_ready_o ? command_i[55] : resident;
  assign rows_left_next = walk_ends_row_q ? rows_left_q - LineW'(Lanes) : rows_left_q;
  assign columns_left_next = walk_ends_row_q ? columns : columns_left_q - LineW'(ChunkColumns);
  always_ff @(posedge clk_i) begin
    if (block_starts || pass_starts) begin
      rows_left_q <= start_rows;
      columns_left_q <= start_columns;
      walk_rows_q <= (start_resident || start_rows <= LineW'(Lanes)) ? start_rows : LineW'(Lanes);
      walk_columns_q <= (start_resident || start_columns <= LineW'(ChunkColumns)) ? start_columns :
          LineW'(ChunkColumns);
      walk_ends_row_q <= start_columns <= LineW'(ChunkColumns);
      walk_ends_q <=
          start_resident || (start_rows <= LineW'(Lanes) && start_columns <= LineW'(ChunkColumns));
    end else if (chunk_in && !resident) begin
      rows_left_q <= rows_left_next;
      columns_left_q <= columns_left_next;
      walk_rows_q <= (rows_left_next <= LineW'(Lanes)) ? rows_left_next : LineW'(Lanes);
      walk_columns_q <=
          (columns_left_next <= LineW'(ChunkColumns)) ? columns_left_next : LineW'(ChunkColumns);
      walk_ends_row_q <= columns_left_next <= LineW'(ChunkColumns);
      walk_ends_q <= rows_left_next <= LineW'(Lanes) && columns_left_next <= LineW'(ChunkColumns);
    end
  end

  logic giving, giving_next;
  assign giving = state_q == Output;
  logic [CntW-1:0] element_beat_next;
  always_comb begin
    if (giving_next) element_beat_next = kernel_beat;
    else if (command_ready_o) element_beat_next = command_i[89+:CntW];
    else element_beat_next = element_beat;
  end

  sinkhorn_element_walk #(
    .Lanes    (Lanes),
    .MaxLines (MaxLines),
    .TileWords(TileWords),
    .Skewed   (Skewed)
  ) u_elements (
    .clk_i,
    .start_i       (element_start),
    .advance_i     (element_advance),
    .matrices_i    (block_starts ? matrices_next : matrices_q),
    .rows_i        (walk_rows_q),
    .columns_i     (walk_columns_q),
    .wide_i        (wide_q),
    .stride_i      (stride_q),
    .side_by_side_i(side_by_side_q),
    .beat_i        (element_start ? element_beat_next : (giving ? kernel_beat : element_beat)),
    .row_run_i     ((giving ? kernel_run : element_run) == 2'd0),
    .matrix_run_i  ((giving ? kernel_run : element_run) == 2'd1),
    .offset_o      (element_offset),
    .length_o      (element_length),
    .ends_beat_o   (element_ends_beat),
    .ends_matrix_o (element_ends_matrix),
    .ends_block_o  (element_ends_block),
    .bank_o        (element_bank),
    .word_o        (element_word),
    .phase_o       (element_phase),
    .row_o         (element_row),
    .column_o      (element_column),
    .lane_o        (element_lane),
    .row_lane_o    (element_row_lane),
    .state_word_o  (element_state_word),
    .row_word_o    (element_row_word),
    .column_word_o (element_column_word)
  );

  logic [CntW-1:0] line_beat, line_beat_next;
  logic [LineW-1:0] lines_of_section_q;
  always_ff @(posedge clk_i) begin
    if (section_starts) begin
      unique case (section_next)
        Rows: lines_of_section_q <= start_rows;
        Columns: lines_of_section_q <= columns;
        default: lines_of_section_q <= LineW'(1);
      endcase
    end
  end
  always_comb begin
    unique case (section_q)
      Rows: line_beat = row_beat;
      Columns: line_beat = column_beat;
      default: line_beat = count_beat;
    endcase
    unique case (section_next)
      Rows: line_beat_next = command_ready_o ? command_i[103+:CntW] : row_beat;
      Columns: line_beat_next = column_beat;
      default: line_beat_next = count_beat;
    endcase
  end
  sinkhorn_line_walk #(
    .Lanes   (Lanes),
    .MaxLines(MaxLines)
  ) u_lines (
    .clk_i,
    .start_i       (line_start),
    .advance_i     (line_advance),
    .matrices_i    (block_starts ? matrices_next : matrices_q),
    .lines_i       (lines_of_section_q),
    .wide_i        (wide_q),
    .stride_i      (stride_q),
    .side_by_side_i(side_by_side_q),
    .full_span_i   (full_span_q),
    .beat_i        (line_start ? line_beat_next : line_beat),
    .offset_o      (line_offset),
    .length_o      (line_length),
    .ends_beat_o   (line_ends_beat),
    .ends_block_o  (line_ends_block),
    .lane_o        (line_lane),
    .word_o        (line_word),
    .state_word_o  (line_state_word)
  );

  // ------------------------------------------------ input: a beat and its pieces

  logic loading_q;  // Beats of the block, or the pass, are still to come.
  logic beat_q, repeat_q;
  logic [Lanes*32-1:0] data_q;
  logic at_elements, piece, piece_ends_beat, piece_ends_block, chunk_waits;
  logic [1:0] occupied_q;  // Streamed: halves that are full.
  logic chunk_fresh_q;  // No beat of this chunk was taken.
  assign at_elements = section_q == Last;
  assign piece = loading_q && beat_q;
  assign piece_ends_beat = at_elements ? element_ends_beat : line_ends_beat;
  assign piece_ends_block = at_elements ? element_ends_block : line_ends_block;
  assign chunk_in = piece && at_elements && element_ends_block;
  // The beat after this piece begins a chunk whose half must be free.
  assign chunk_waits = !resident && at_elements &&
                       (beat_q ? (element_ends_block && occupied_q != 2'd0) :
                                 (chunk_fresh_q && occupied_q == 2'd2));
  logic last_piece;
  assign last_piece = at_elements && element_ends_block && walk_ends_q;
  assign input_ready_o = loading_q && !chunk_waits && !(beat_q && (!piece_ends_beat || last_piece));
  assign repeat_input_o = repeat_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      loading_q <= 1'b0;
      beat_q <= 1'b0;
      repeat_q <= 1'b0;
    end else begin
      if (block_starts || pass_starts) loading_q <= 1'b1;
      else if (piece && last_piece) loading_q <= 1'b0;
      if (take) beat_q <= 1'b1;
      else if (piece && piece_ends_beat) beat_q <= 1'b0;
      if (pass_starts) repeat_q <= 1'b1;
      else if (take) repeat_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (take) data_q <= input_data_i;
    if (block_starts || pass_starts) begin
      chunk_fresh_q <= 1'b1;
    end else if (chunk_in) begin
      chunk_fresh_q <= !take;
    end else if (take && at_elements) begin
      chunk_fresh_q <= 1'b0;
    end
  end

  // ------------------------------------------------ output: slots

  logic slot, slot_last, slot_done;
  logic at_kernel, slot_ends_beat, slot_ends_block;
  assign at_kernel = section_q == Kernel;
  assign slot_ends_beat = at_kernel ? element_ends_beat : line_ends_beat;
  assign slot_ends_block = at_kernel ? element_ends_block : line_ends_block;
  assign slot = giving && (!slot_ends_beat || credits_q != '0);
  assign slot_last = slot && slot_ends_beat;
  assign slot_done = slot_last && slot_ends_block;
  assign block_done = slot_done && (at_kernel || (section_q == Last && !kernel_wanted));

  // ------------------------------------------------ sections

  logic to_output;  // The last sweep is over: in the next cycle.
  assign giving_next = to_output || (giving && !block_done);
  assign block_starts = take_command || (block_done && batch_left_q != CountW'(matrices_q));
  assign section_starts = block_starts || pass_starts || to_output || slot_done ||
                          (piece && piece_ends_block && !(at_elements && walk_ends_q));
  always_comb begin
    if (block_starts || pass_starts) section_next = warm_next ? Rows : Last;
    else if (to_output) section_next = in_place ? Last : Rows;
    else if (at_elements && !giving) section_next = Last;
    else begin
      unique case (section_q)
        Rows: section_next = Columns;
        Columns: section_next = Last;
        Last: section_next = Kernel;
        default: section_next = Rows;
      endcase
    end
  end
  assign line_start = section_starts;
  assign element_start = section_starts;
  assign line_advance = (piece && !at_elements) || (slot && !at_kernel);
  assign element_advance = (piece && at_elements) || (slot && at_kernel);
  always_ff @(posedge clk_i) begin
    if (section_starts) section_q <= section_next;
  end

  // ------------------------------------------------ sweeps: which and where

  logic [CountW:0] sweep_q, limit;
  logic side_q;  // 1: a column sweep (resident), a column part (streamed).
  logic sums_rows, sums_columns;
  logic [1:0] done_steps;  // Half-steps before this sweep, modulo 4.
  logic first_sweep, second_sweep;
  assign limit = (CountW + 1)'(half_steps) + (CountW + 1)'(verify);
  assign first_sweep = sweep_q == (CountW + 1)'(1);
  assign second_sweep = sweep_q == (CountW + 1)'(2);
  assign done_steps = sweep_q[1:0] - 2'd1;
  assign sums_rows = damped || sweep_q[0];
  assign sums_columns = damped || !sweep_q[0];
  logic row_copy, column_copy, row_default, column_default;
  assign row_copy = damped ? done_steps[0] : done_steps[1] ^ done_steps[0];
  assign column_copy = damped ? done_steps[0] : done_steps[1];
  assign row_default = !warm && first_sweep;
  assign column_default = !warm && (first_sweep || (second_sweep && !damped));

  logic [BlockW-1:0] sweep_left_q;  // Matrices from this group on.
  logic [LineW-1:0] line_q, step_q, total_lines, total_steps;
  logic [LaneW-1:0] turn_q, sub_q;  // Step modulo Lanes; line of a step (no skew).
  logic [TileW-1:0] tile_q, tile_base_q;  // Word of the step; of the matrix.
  logic [WordW-1:0] own_q, other_q, other_base_q, matrix_word_q;
  logic part_q, steps_done_q;  // Lines are left; all steps of these are issued.
  logic fold_q;  // Streamed: column sums leave their memory.
  logic [DrainW-1:0] drain_left_q, drain_next, drain_cycles;
  logic [LineW-1:0] chunk_row_q, chunk_column_q, chunk_rows, chunk_columns;
  logic [LineW-1:0] chunk_rows_left_q, chunk_columns_left_q;  // From the chunk on.
  logic [WordW-1:0] chunk_row_word_q, chunk_column_word_q;
  logic chunk_ends_row, last_chunk_row, half_q;
  logic [1:0] ready_q;
  logic [1:0] chunk_in_q;

  assign last_chunk_row = chunk_rows_left_q <= LineW'(Lanes);
  assign chunk_rows = last_chunk_row ? chunk_rows_left_q : LineW'(Lanes);
  assign chunk_ends_row = chunk_columns_left_q <= LineW'(ChunkColumns);
  assign chunk_columns = chunk_ends_row ? chunk_columns_left_q : LineW'(ChunkColumns);

  assign total_lines = side_q ? columns : rows;
  always_comb begin
    if (fold_q) total_steps = LineW'(1);
    else if (resident) total_steps = side_q ? rows : columns;
    else total_steps = side_q ? chunk_rows : chunk_columns;
  end

  logic [LineW-1:0] lines_left;
  logic [CntW-1:0] lines, present, others_present, span;
  logic group_ends_matrix;
  logic [2*CntW-1:0] span_wide;
  assign lines_left = total_lines - line_q;
  assign group_ends_matrix = lines_left <= LineW'(Lanes);
  assign lines = group_ends_matrix ? lines_left[CntW-1:0] : CntW'(Lanes);
  assign present =
      (sweep_left_q < BlockW'(side_by_side_q)) ? sweep_left_q[CntW-1:0] : side_by_side_q;
  // From the first line to the last, of a group that ends its matrix; one that does
  // not has all lanes.
  assign others_present = present - 1'b1;
  assign span_wide =
      (2 * CntW)'(others_present) * (2 * CntW)'(stride_q) + (2 * CntW)'(lines_left[CntW-1:0]);
  assign span = span_wide[CntW-1:0];
  always_comb begin
    drain_cycles = '0;
    for (int unsigned k = 1; k <= Lanes; k++) begin
      if (span == CntW'(k)) drain_cycles = DrainW'((k + LogUnits - 1) / LogUnits);
    end
    if (!group_ends_matrix) drain_cycles = DrainW'((Lanes + LogUnits - 1) / LogUnits);
  end

  logic step, step_first, step_last, last_access, part_done, moves, move, part_ends, sub_last;
  logic chunk_ends;
  // A pass writes every word back: a step in every second cycle leaves the banks'
  // port to it. The first one makes K of logits, the others (in place) scale.
  logic pass_q, pass_next, pass_turn_q, scales, scales_columns;
  assign pass_next = held && !pass_q && (sweep_starts_q || in_place) && !command_ready_o;
  assign scales = pass_q && !sweep_starts_q;
  assign scales_columns = pass_q && (sweep_starts_q || !sweep_q[0]);
  assign step = state_q == Sweep && part_q && !steps_done_q && !pass_turn_q &&
                (resident || fold_q || ready_q != '0);
  assign sub_last = Skewed || side_q || CntW'(sub_q) + 1'b1 == lines;
  assign step_first = step_q == '0 && sub_q == '0;
  assign step_last = step_q + 1'b1 == total_steps;
  assign last_access = step && step_last && sub_last;
  assign part_done = state_q == Sweep && part_q && (steps_done_q || last_access);
  assign drain_next = (drain_left_q == '0) ? '0 : drain_left_q - 1'b1;
  assign moves = (resident && !pass_q) || fold_q || (!side_q && chunk_ends_row);
  assign move = part_done && moves && drain_next == '0;
  assign part_ends = moves ? move : part_done;
  assign chunk_ends = part_ends && !resident && !fold_q &&
                      (side_q ? (line_q + LineW'(Lanes) >= chunk_column_q + chunk_columns) :
                          !sums_columns);

  // Whether the group's lines end what a sweep measures of a matrix.
  logic sweep_over, all_chunks_end, group_judges, more_matrices;
  assign more_matrices = sweep_left_q > (wide_q ? BlockW'(1) : BlockW'(side_by_side_q));
  assign group_judges = resident ? group_ends_matrix :
                        (side_q ? group_ends_matrix : (last_chunk_row && !sums_columns));
  assign all_chunks_end = chunk_ends && chunk_ends_row && last_chunk_row;
  // The drain registers' last cycle.
  assign sweep_over = state_q == Sweep && !part_q && drain_next == '0;

  logic sweep_begins;  // In the next cycle: steps of a side (resident) or a pass.
  logic next_side;
  logic judged, running_q, kept_q;
  logic sweep_complete;  // Both sides of a damped update.
  assign sweep_complete = (!resident || !damped || side_q) && (!in_place || pass_q);
  assign judged = state_q == Wait && wait_q == 5'd1 && !sweep_starts_q && sweep_complete;
  logic finished;
  assign finished = !running_q || sweep_q == limit;
  assign to_output = judged && finished;
  assign pass_starts = judged && !finished && !resident;
  assign sweep_begins = (state_q == Wait && wait_q == 5'd1 && !to_output) ||
                        (take_command && !command_i[55]);
  always_comb begin
    if (pass_next) next_side = 1'b1;
    else if (sweep_starts_q || command_ready_o) next_side = 1'b0;
    else if (damped) next_side = resident && !side_q;
    else next_side = sweep_q[0];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      wait_q <= '0;
      sweep_starts_q <= 1'b0;
      pass_q <= 1'b0;
      pass_turn_q <= 1'b0;
      credits_q <= CreditW'(FifoDepth);
    end else begin
      credits_q <= credits_q - CreditW'(slot_last) + CreditW'(give);
      if (sweep_begins || to_output) pass_q <= sweep_begins && pass_next;
      pass_turn_q <= step && pass_q;
      unique case (state_q)
        Idle: begin
          if (take_command) begin
            state_q <= command_i[55] ? Load : Sweep;
            sweep_starts_q <= 1'b1;
          end
        end
        Load: begin
          if (piece && last_piece) begin
            state_q <= Wait;
            wait_q <= held ? 5'(LoadLatency + MaximumLatency - 1) : 5'(LoadLatency - 1);
          end
        end
        Sweep: begin
          if (!pass_q) sweep_starts_q <= 1'b0;
          if (sweep_over) begin
            state_q <= Wait;
            wait_q <= pass_q ? 5'(ScaleLatency) : 5'(SweepLatency);
          end
        end
        Wait: begin
          wait_q <= wait_q - 1'b1;
          if (wait_q == 5'd1) state_q <= to_output ? Output : Sweep;
        end
        Output: begin
          if (block_done) begin
            state_q <= block_starts ? Load : Flush;
            sweep_starts_q <= 1'b1;
          end
        end
        default: begin
          if (credits_q + CreditW'(give) == CreditW'(FifoDepth)) state_q <= Idle;
        end
      endcase
    end
  end

  // ------------------------------------------------ sweeps: counters

  // What comes after this part.
  logic [LineW-1:0] next_line;
  assign next_line = line_q + LineW'(Lanes);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      part_q <= 1'b0;
      drain_left_q <= '0;
      ready_q <= '0;
      occupied_q <= '0;
      chunk_in_q <= '0;
    end else begin
      drain_left_q <= move ? drain_cycles : drain_next;
      if (sweep_begins) part_q <= 1'b1;
      else if (part_ends) begin
        if (resident) part_q <= more_matrices || !group_ends_matrix;
        else if (fold_q) part_q <= !group_ends_matrix;
        else if (all_chunks_end) part_q <= sums_columns;
      end
      chunk_in_q <= {chunk_in_q[0], chunk_in && !resident};
      ready_q <= ready_q + 2'(chunk_in_q[1]) - 2'(chunk_ends);
      occupied_q <= occupied_q + 2'(chunk_in && !resident) - 2'(chunk_ends);
    end
  end

  always_ff @(posedge clk_i) begin
    if (step) begin
      if (sub_last) begin
        sub_q <= '0;
        step_q <= step_q + 1'b1;
        turn_q <= (turn_q == LaneW'(Lanes - 1)) ? '0 : turn_q + 1'b1;
        if (turn_q == LaneW'(Lanes - 1) && !step_last) other_q <= other_q + 1'b1;
        if (side_q) tile_q <= tile_q + 1'b1;
        else if (turn_q == LaneW'(Lanes - 1) && !step_last) begin
          tile_q <= tile_q + (resident ? TileW'(rows) : TileW'(chunk_rows));
        end
      end else begin
        sub_q <= sub_q + 1'b1;
      end
    end
    steps_done_q <= part_done && !part_ends;

    if (part_ends) begin
      step_q <= '0;
      turn_q <= '0;
      own_q <= own_q + 1'b1;
      if (resident) begin
        if (group_ends_matrix) begin
          line_q <= '0;
          sweep_left_q <= sweep_left_q - (wide_q ? BlockW'(1) : BlockW'(present));
          matrix_word_q <= matrix_word_q + 1'b1;
          other_q <= other_base_q + 1'b1;
          other_base_q <= other_base_q + 1'b1;
          if (wide_q) begin
            other_q <= other_q + 1'b1;
            other_base_q <= other_q + 1'b1;
          end
          if (!side_q) begin
            // After the last part of Lanes columns.
            tile_q <= tile_q + TileW'(rows) - TileW'(line_q);
            tile_base_q <= tile_q + TileW'(rows) - TileW'(line_q);
          end
        end else begin
          line_q <= next_line;
          other_q <= other_base_q;
          if (!side_q) tile_q <= tile_base_q + TileW'(next_line);
        end
      end else if (fold_q) begin
        line_q <= next_line;
      end else begin
        tile_q <= side_q ? tile_q + 1'b1 : '0;
        if (!chunk_ends) begin
          // The chunk's next columns.
          side_q <= 1'b1;
          line_q <= side_q ? next_line : chunk_column_q;
          own_q <= side_q ? own_q + 1'b1 : chunk_column_word_q;
          other_q <= chunk_row_word_q;
        end else begin
          half_q <= !half_q;
          tile_q <= '0;
          side_q <= !sums_rows;
          chunk_column_q <= chunk_ends_row ? '0 : chunk_column_q + LineW'(ChunkColumns);
          chunk_columns_left_q <=
              chunk_ends_row ? columns : chunk_columns_left_q - LineW'(ChunkColumns);
          chunk_column_word_q <=
              chunk_ends_row ? '0 : chunk_column_word_q + WordW'(ChunkColumns / Lanes);
          if (chunk_ends_row) begin
            chunk_row_q <= chunk_row_q + LineW'(Lanes);
            chunk_rows_left_q <= chunk_rows_left_q - LineW'(Lanes);
            chunk_row_word_q <= chunk_row_word_q + 1'b1;
          end
          if (sums_rows) begin
            line_q <= chunk_ends_row ? chunk_row_q + LineW'(Lanes) : chunk_row_q;
            own_q <= chunk_ends_row ? chunk_row_word_q + 1'b1 : chunk_row_word_q;
            other_q <= chunk_ends_row ? '0 : chunk_column_word_q + WordW'(ChunkColumns / Lanes);
          end else begin
            line_q <= chunk_ends_row ? '0 : chunk_column_q + LineW'(ChunkColumns);
            own_q <= chunk_ends_row ? '0 : chunk_column_word_q + WordW'(ChunkColumns / Lanes);
            other_q <= chunk_ends_row ? chunk_row_word_q + 1'b1 : chunk_row_word_q;
          end
          if (all_chunks_end) begin
            fold_q <= 1'b1;
            side_q <= 1'b1;
            line_q <= '0;
            own_q <= '0;
          end
        end
      end
    end

    if (sweep_begins) begin
      side_q <= next_side;
      sweep_left_q <= command_ready_o ? BlockW'(1) : matrices_q;
      line_q <= '0;
      step_q <= '0;
      turn_q <= '0;
      sub_q <= '0;
      tile_q <= '0;
      tile_base_q <= '0;
      own_q <= '0;
      other_q <= '0;
      other_base_q <= '0;
      matrix_word_q <= '0;
      fold_q <= 1'b0;
      half_q <= 1'b0;
      chunk_row_q <= '0;
      chunk_rows_left_q <= start_rows;
      chunk_column_q <= '0;
      chunk_columns_left_q <= start_columns;
      chunk_row_word_q <= '0;
      chunk_column_word_q <= '0;
    end
    if (block_starts) sweep_q <= (CountW + 1)'(1);
    else if (judged && !finished) sweep_q <= sweep_q + 1'b1;
  end

  // Step s of these lines shows line k its element s + delta of the diagonal.
  logic signed [LineW:0] delta;
  logic [LineW-1:0] first_step;
  logic [CntW-1:0] low, high;
  always_comb begin
    if (resident) first_step = '0;
    else first_step = side_q ? chunk_row_q : chunk_column_q;
    delta = $signed({1'b0, first_step}) + $signed({1'b0, step_q}) - $signed({1'b0, line_q});
    low = '0;
    high = lines;
    if (causal && !side_q && delta > 0) begin
      low = (delta >= $signed((LineW + 1)'(Lanes))) ? CntW'(Lanes) : delta[CntW-1:0];
    end
    if (causal && side_q) begin
      if (delta < 0) high = '0;
      else if (delta < $signed((LineW + 1)'(lines))) high = delta[CntW-1:0] + 1'b1;
    end
    if (fold_q) high = '0;
  end

  logic fresh, keep;
  logic [SumWordW-1:0] sum_word, last_sum_word_q;
  assign fresh = resident || (side_q ? chunk_row_q == '0 : chunk_column_q == '0);
  assign sum_word = side_q ? SumWordW'(own_q) : SumWordW'(LineWords);
  assign keep = last_sum_word_q == sum_word;

  // ------------------------------------------------ pipeline of steps and slots

  // Stage 0 reads scalings: a step in its cycle, a slot in the one after it.
  typedef struct packed {
    logic             valid;
    logic             columns;
    logic             first;
    logic             resume;
    logic             store;
    logic             writes;
    logic [SumWordW-1:0] sum_word;
    logic [CntW-1:0]  low;
    logic [CntW-1:0]  high;
    logic [CntW-1:0]  present;
    logic [LaneW-1:0] sub;
  } step_t;
  step_t step_0, step_1_q, step_2_q, step_3_q, step_4_q, step_5_q, step_6_q;
  always_comb begin
    step_0.valid = step;
    step_0.columns = side_q;
    step_0.first = step && step_first && fresh && !fold_q;
    step_0.resume = step && step_first && (!fresh || fold_q) && !keep;
    step_0.writes = step && pass_q;
    step_0.store = step && !moves && !resident && step_last && sub_last;
    step_0.sum_word = sum_word;
    step_0.low = low;
    step_0.high = high;
    step_0.present = present;
    step_0.sub = sub_q;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      step_1_q <= '0;
      step_2_q <= '0;
      step_3_q <= '0;
      step_4_q <= '0;
      step_5_q <= '0;
      step_6_q <= '0;
    end else begin
      step_1_q <= step_0;
      step_2_q <= step_1_q;
      step_3_q <= step_2_q;
      step_4_q <= step_3_q;
      step_5_q <= step_4_q;
      step_6_q <= step_5_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (sweep_begins) last_sum_word_q <= '1;
    else if (step) last_sum_word_q <= sum_word;
  end

  typedef struct packed {
    logic              valid;
    logic              kernel;
    logic              first;   // Piece of its beat.
    logic              last;
    logic [LaneW-1:0]  offset;
    logic [CntW-1:0]   length;
    logic [BytesW-1:0] bytes;
    logic [CntW-1:0]   seen;    // Elements of the beat that the mask shows.
  } slot_t;
  slot_t slot_d, slot_0_q, slot_1_q, slot_2_q, slot_3_q, slot_4_q, slot_5_q, slot_6_q, slot_7_q,
      slot_8_q, slot_9_q, slot_join;
  logic signed [LineW:0] below_diagonal;  // Columns to the right of the piece's first one.
  assign below_diagonal = $signed({1'b0, element_row}) - $signed({1'b0, element_column});
  always_comb begin
    slot_d.valid = slot;
    slot_d.kernel = at_kernel;
    slot_d.offset = at_kernel ? element_offset : line_offset;
    slot_d.length = at_kernel ? element_length : line_length;
    slot_d.first = slot_d.offset == '0;
    slot_d.last = slot_ends_beat;
    slot_d.bytes = BytesW'({CntW'(slot_d.offset) + slot_d.length, 2'b00});
    slot_d.seen = at_kernel ? element_seen : slot_d.length;
  end
  // Elements of a piece that the mask shows.
  logic [CntW-1:0] element_seen;
  always_comb begin
    element_seen = element_length;
    if (causal) begin
      if (below_diagonal < 0) element_seen = '0;
      else if (below_diagonal < $signed((LineW + 1)'(element_length)))
        element_seen = below_diagonal[CntW-1:0] + 1'b1;
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      slot_0_q <= '0;
      slot_1_q <= '0;
      slot_2_q <= '0;
      slot_3_q <= '0;
      slot_4_q <= '0;
      slot_5_q <= '0;
      slot_6_q <= '0;
      slot_7_q <= '0;
      slot_8_q <= '0;
      slot_9_q <= '0;
    end else begin
      slot_0_q <= slot_d;
      slot_1_q <= slot_0_q;
      slot_2_q <= slot_1_q;
      slot_3_q <= slot_2_q;
      slot_4_q <= slot_3_q;
      slot_5_q <= slot_4_q;
      slot_6_q <= slot_5_q;
      slot_7_q <= slot_6_q;
      slot_8_q <= slot_7_q;
      slot_9_q <= slot_8_q;
    end
  end
  // Words of held K take two more cycles, and all else with them.
  assign slot_join = held ? slot_9_q : slot_7_q;

  // Amounts of rotation, addresses.
  function automatic logic [LaneW-1:0] minus(input logic [LaneW-1:0] a, input logic [LaneW-1:0] b);
    minus = (a >= b) ? a - b : LaneW'((CntW + 1)'(a) + (CntW + 1)'(Lanes) - (CntW + 1)'(b));
  endfunction

  logic [LaneW-1:0] slot_line_turn_q, slot_tile_turn_q, slot_row_lane_q, slot_phase_q;
  logic [LaneW-1:0] slot_bank_q;
  logic [WordW-1:0] slot_word_q, slot_column_word_q;
  logic [TileW-1:0] slot_tile_q;
  section_e slot_section_q;
  always_ff @(posedge clk_i) begin
    if (slot) begin
      slot_section_q <= section_q;
      slot_line_turn_q <=
          at_kernel ? minus(element_wide_lane, element_offset) : minus(line_lane, line_offset);
      slot_tile_turn_q <= minus(element_bank, element_offset);
      slot_bank_q <= element_bank;
      slot_row_lane_q <= element_row_lane;
      slot_phase_q <= wide_q ? element_phase : '0;
      slot_word_q <= at_kernel ? element_row_word : line_word;
      slot_column_word_q <= element_column_word;
      slot_tile_q <= element_word;
    end
  end
  // Column j of a side-by-side matrix is in lane first + j, of a wide one in j mod Lanes.
  logic [LaneW-1:0] element_wide_lane;
  assign element_wide_lane = wide_q ? element_phase : element_lane + element_column[LaneW-1:0];

  // ------------------------------------------------ state of the matrices

  // Per matrix, in all its lanes: half-steps done; stopped; a row's residual was
  // above the tolerance (damped).
  logic [Lanes*CountW-1:0] count_out;
  logic [Lanes-1:0] count_write;
  logic [WordW-1:0] judge_word;
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_count
    prim_sram #(
      .Width(CountW),
      .Depth(LineWords)
    ) u_count (
      .clk_i,
      .write_i     (count_write[lane]),
      .write_addr_i(judge_word),
      .write_data_i(sweep_q[CountW-1:0]),
      .read_i      (slot),
      .read_addr_i (at_kernel ? element_state_word : line_state_word),
      .read_data_o (count_out[lane*CountW+:CountW])
    );
  end

  // ------------------------------------------------ scalings

  // Two copies: a sweep reads one and writes the other.
  logic [Lanes-1:0] row_write, column_write, slot_row_copy, slot_column_copy, slot_row_none,
      slot_column_none;
  logic [Lanes*32-1:0] new_scalings, rows_out, columns_out;
  logic [WordW-1:0] new_word, row_read_word;
  logic new_copy;
  logic row_read, column_read, own_row_read, own_column_read;
  logic [WordW-1:0] own_read_word, column_read_word;
  logic slot_lines_0, slot_kernel_0;
  assign slot_kernel_0 = slot_0_q.valid && slot_0_q.kernel;
  assign slot_lines_0 = slot_0_q.valid && !slot_0_q.kernel;
  always_comb begin
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      slot_row_copy[lane] =
          damped ? count_out[lane*CountW] : count_out[lane*CountW+1] ^ count_out[lane*CountW];
      slot_column_copy[lane] = damped ? count_out[lane*CountW] : count_out[lane*CountW+1];
      slot_row_none[lane] = 1'b0;
      slot_column_none[lane] = !warm && !damped && count_out[lane*CountW+1+:CountW-1] == '0;
    end
  end
  assign row_read =
      own_row_read || (step && side_q) || slot_kernel_0 || (slot_lines_0 && slot_section_q == Rows);
  assign column_read = own_column_read || (step && (!side_q || pass_q)) || slot_kernel_0 ||
                       (slot_lines_0 && slot_section_q == Columns);
  always_comb begin
    if (slot_0_q.valid) row_read_word = slot_word_q;
    else if (step && side_q && !fold_q) row_read_word = other_q;
    else row_read_word = own_read_word;
    if (slot_0_q.valid) column_read_word = slot_0_q.kernel ? slot_column_word_q : slot_word_q;
    else if (step && pass_q) column_read_word = sweep_starts_q ? matrix_word_q : own_q;
    else if (step && !side_q) column_read_word = other_q;
    else column_read_word = own_read_word;
  end
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_line
    logic row_copy_here, column_copy_here;
    logic [WordW-1:0] column_word_here;
    // A scaling pass reads what its sweep wrote.
    assign row_copy_here = slot_0_q.valid ? slot_row_copy[lane] : row_copy ^ scales;
    assign column_copy_here = slot_0_q.valid ? slot_column_copy[lane] : column_copy ^ scales;
    // A piece of a wide matrix may reach into the next word.
    assign column_word_here = column_read_word +
                              WordW'(slot_kernel_0 && LaneW'(lane) < slot_phase_q);
    prim_sram #(
      .Width(32),
      .Depth(2 * LineWords)
    ) u_rows (
      .clk_i,
      .write_i     (row_write[lane]),
      .write_addr_i({new_word, new_copy}),
      .write_data_i(new_scalings[lane*32+:32]),
      .read_i      (row_read),
      .read_addr_i ({row_read_word, row_copy_here}),
      .read_data_o (rows_out[lane*32+:32])
    );
    prim_sram #(
      .Width(32),
      .Depth(2 * LineWords)
    ) u_columns (
      .clk_i,
      .write_i     (column_write[lane]),
      .write_addr_i({new_word, new_copy}),
      .write_data_i(new_scalings[lane*32+:32]),
      .read_i      (column_read),
      .read_addr_i ({column_word_here, column_copy_here}),
      .read_data_o (columns_out[lane*32+:32])
    );
  end

  // ------------------------------------------------ stage 1: scalings rotate; 2: spread

  logic [LaneW-1:0] line_turn_1_q;
  section_e line_source_1_q;  // Last: counts.
  logic none_1_q, scales_1_q, own_1_q, own_2_q;
  logic [Lanes-1:0] none_lanes_1_q, row_none_1_q;
  logic [Lanes*CountW-1:0] count_1_q;
  logic [LaneW-1:0] row_lane_1_q;
  always_ff @(posedge clk_i) begin
    if (slot_0_q.valid) begin
      line_turn_1_q <= slot_line_turn_q;
      line_source_1_q <= slot_0_q.kernel ? Columns : slot_section_q;
      none_1_q <= 1'b0;
      none_lanes_1_q <= (slot_0_q.kernel || slot_section_q == Columns) ?
          slot_column_none | {Lanes{in_place}} : '0;
      row_none_1_q <= slot_row_none | {Lanes{in_place}};
      count_1_q <= count_out;
      row_lane_1_q <= slot_row_lane_q;
    end else begin
      line_turn_1_q <= scales_columns ? '0 : turn_q;
      line_source_1_q <= (side_q && !scales_columns) ? Rows : Columns;
      if (pass_q) none_1_q <= scales && sweep_q > (CountW + 1)'(half_steps);
      else none_1_q <= in_place || (side_q ? row_default : column_default);
      none_lanes_1_q <= '0;
    end
    scales_1_q <= step && scales;
    own_1_q <= scales && scales_columns;
    own_2_q <= own_1_q;
  end

  logic [Lanes*32-1:0] line_words, line_turned, line_turned_2_q, line_spread;
  logic [31:0] row_word_2_q;
  always_comb begin
    line_words = '0;
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      if (none_1_q || none_lanes_1_q[lane] || (scales_1_q && flags_here[lane])) begin
        line_words[lane*32+:32] = held ? UnitScaling : '0;
      end else if (line_source_1_q == Rows) line_words[lane*32+:32] = rows_out[lane*32+:32];
      else if (line_source_1_q == Columns) line_words[lane*32+:32] = columns_out[lane*32+:32];
      else line_words[lane*32+:32] = 32'(count_1_q[lane*CountW+:CountW]);
    end
  end
  sinkhorn_rotate #(
    .Lanes(Lanes),
    .Width(32)
  ) u_turn_lines (
    .data_i  (line_words),
    .amount_i(line_turn_1_q),
    .data_o  (line_turned)
  );
  always_ff @(posedge clk_i) begin
    if (step_1_q.valid || slot_1_q.valid) begin
      line_turned_2_q <= line_turned;
      row_word_2_q <= row_none_1_q[row_lane_1_q] ? UnitScaling : rows_out[row_lane_1_q*32+:32];
    end
  end
  sinkhorn_spread #(
    .Lanes(Lanes),
    .Width(32)
  ) u_spread (
    .place_i(own_2_q ? '0 : place_q),
    .data_i (line_turned_2_q),
    .data_o (line_spread)
  );
  logic [Lanes*33-1:0] other_3_q;
  logic [22:0] row_3_q;
  always_ff @(posedge clk_i) begin
    if (slot_2_q.valid && held) row_3_q <= {row_word_2_q[29:24], row_word_2_q[16:0]};
    if (step_2_q.valid || slot_2_q.valid) begin
      for (int unsigned lane = 0; lane < Lanes; lane++) begin
        if (!slot_2_q.valid) other_3_q[lane*33+:33] <= 33'($signed(line_spread[lane*32+:32]));
        else if (slot_2_q.kernel && !held)
          other_3_q[lane*33+:33] <=
              33'($signed(line_turned_2_q[lane*32+:32])) + 33'($signed(row_word_2_q));
        else other_3_q[lane*33+:33] <= 33'($signed(line_turned_2_q[lane*32+:32]));
      end
    end
  end

  // ------------------------------------------------ stage 1: banks; 2: rotate

  logic [Lanes*LaneW-1:0] ring_q, ring;
  logic [TileW-1:0] tile_1_q;
  logic [LaneW-1:0] tile_turn_1_q, tile_turn_2_q;
  logic first_1_q, half_1_q;
  logic [Lanes-1:0] crossing_1_q, crossing_turned, past_phase;
  // Element e of a piece from its first bank on; those past the end of their
  // Lanes columns lie a part further.
  always_comb begin
    for (int unsigned lane = 0; lane < Lanes; lane++)
      past_phase[lane] =
          wide_q && (CntW + 1)'(lane) + (CntW + 1)'(slot_phase_q) >= (CntW + 1)'(Lanes);
  end
  sinkhorn_rotate #(
    .Lanes(Lanes),
    .Width(1)
  ) u_turn_crossing (
    .data_i  (past_phase),
    .amount_i(minus('0, slot_bank_q)),
    .data_o  (crossing_turned)
  );
  always_ff @(posedge clk_i) begin
    if (step || slot_kernel_0) begin
      if (slot_kernel_0) begin
        tile_1_q <= slot_tile_q;
        tile_turn_1_q <= slot_tile_turn_q;
        crossing_1_q <= crossing_turned;
      end else begin
        tile_1_q <= tile_q + ((Skewed || side_q) ? '0 : TileW'(sub_q));
        if (Skewed) tile_turn_1_q <= turn_q;
        else tile_turn_1_q <= side_q ? '0 : minus(turn_q, sub_q);
        crossing_1_q <= '0;
      end
      first_1_q <= step_q == '0;
      half_1_q <= half_q;
    end
    tile_turn_2_q <= tile_turn_1_q;
    if (Skewed && step_1_q.valid) begin
      ring_q <= {ring[(Lanes-1)*LaneW-1:0], ring[(Lanes-1)*LaneW+:LaneW]};
    end
  end
  assign ring = first_1_q ? place_q : ring_q;

  logic [Lanes*32-1:0] banks_out, logits, logits_3_q;
  logic [Lanes-1:0] tile_write, tile_crossing;
  logic [Lanes*32-1:0] tile_data, back_q;
  logic writes_7_q, writes_8_q;
  logic [TileW-1:0] back_word_q[2:8];
  logic [LaneW-1:0] back_turn_q[2:7];
  logic split;  // Neighbouring words lie in different halves.
  assign split = resident && !held;
  logic [TileW-1:0] tile_write_word;
  logic tile_write_half;
  logic tile_read;
  assign tile_read = step_1_q.valid || (slot_1_q.valid && slot_1_q.kernel);
  for (genvar bank = 0; bank < Lanes; bank++) begin : gen_bank
    logic [TileW-1:0] read_word, write_word;
    logic read_half, write_half;
    always_comb begin
      read_word = tile_1_q;
      if (Skewed && step_1_q.valid && !step_1_q.columns)
        read_word = tile_1_q + TileW'(ring[bank*LaneW+:LaneW]);
      if (crossing_1_q[bank]) read_word = tile_1_q + TileW'(rows);
    end
    assign write_word = writes_8_q ? back_word_q[8] :
        tile_write_word + (tile_crossing[bank] ? TileW'(piece_4_q.rows) : '0);
    // Neighbouring words alternate between the halves; streamed, each is a buffer.
    assign read_half = split ? read_word[0] : half_1_q;
    assign write_half = split ? write_word[0] : tile_write_half;
    logic [HalfW-1:0] read_addr, write_addr;
    always_comb begin
      read_addr = HalfW'(read_word);
      write_addr = HalfW'(write_word);
      if (split) begin
        read_addr = HalfW'(read_word[TileW-1:1]);
        write_addr = HalfW'(write_word[TileW-1:1]);
      end
    end
    sinkhorn_bank #(
      .Depth(HalfWords)
    ) u_bank (
      .clk_i,
      .wide_read_i (held),
      .wide_write_i(writes_8_q),
      .write_i     (tile_write[bank]),
      .write_half_i(write_half),
      .write_addr_i(write_addr),
      .write_data_i(tile_data[bank*32+:32]),
      .read_i      (tile_read),
      .read_half_i (read_half),
      .read_addr_i (read_addr),
      .read_data_o (banks_out[bank*32+:32])
    );
  end
  sinkhorn_rotate #(
    .Lanes(Lanes),
    .Width(32)
  ) u_turn_logits (
    .data_i  (banks_out),
    .amount_i(tile_turn_2_q),
    .data_o  (logits)
  );
  always_ff @(posedge clk_i) begin
    if (step_2_q.valid) logits_3_q <= logits;
    else if (slot_2_q.valid) logits_3_q <= slot_2_q.kernel ? logits : '0;
  end

  // ------------------------------------------------ lanes

  logic [Lanes-1:0] active_5, active_6_q;
  always_comb begin
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      active_5[lane] = number_q[lane*CntW+:CntW] < step_5_q.present &&
                       CntW'(place_q[lane*LaneW+:LaneW]) >= step_5_q.low &&
                       CntW'(place_q[lane*LaneW+:LaneW]) < step_5_q.high &&
                       (Skewed || step_5_q.columns || place_q[lane*LaneW+:LaneW] == step_5_q.sub);
    end
  end
  always_ff @(posedge clk_i) active_6_q <= active_5;

  logic [Lanes*SumW-1:0] sums, resume_sums_q, stored_sums_q, memory_sums;
  logic [Lanes*17-1:0] octaves, resume_octaves_q, stored_octaves_q, memory_octaves;
  logic [Lanes*32-1:0] words, back_words;
  logic [Lanes*HeldSumW-1:0] held_sums;
  logic [Lanes-1:0] held_blind;
  logic store_7_q;
  logic [SumWordW-1:0] store_word_7_q, stored_word_q;
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    sinkhorn_lane #(
      .SumW(SumW)
    ) u_lane (
      .clk_i,
      .en_3_i         (step_3_q.valid || slot_3_q.valid),
      .word_i         (logits_3_q[lane*32+:31]),
      .other_i        (other_3_q[lane*33+:33]),
      .held_i         (held),
      .row_i          (row_3_q),
      .by_row_i       (slot_3_q.valid),
      .power_back_i   (sweep_starts_q),
      .left_i         (left_shift),
      .add_i          (step_6_q.valid && active_6_q[lane]),
      .first_i        (step_6_q.first),
      .clear_i        (step_6_q.first),
      .resume_i       (step_6_q.resume),
      .resume_sum_i   (resume_sums_q[lane*SumW+:SumW]),
      .resume_octave_i(resume_octaves_q[lane*17+:17]),
      .sum_o          (sums[lane*SumW+:SumW]),
      .octave_o       (octaves[lane*17+:17]),
      .pass_i         (slot_6_q.valid && !slot_6_q.kernel),
      .held_sum_o     (held_sums[lane*HeldSumW+:HeldSumW]),
      .held_blind_o   (held_blind[lane]),
      .back_o         (back_words[lane*32+:32]),
      .word_o         (words[lane*32+:32])
    );
  end

  // ------------------------------------------------ sums that wait (streamed)

  sinkhorn_sums_sram #(
    .Width(Lanes * (SumW + 17)),
    .Depth(LineWords + 1)
  ) u_sums (
    .clk_i,
    .write_i     (store_7_q),
    .write_addr_i(store_word_7_q),
    .write_data_i({octaves, sums}),
    .read_i      (step_4_q.resume),
    .read_addr_i (step_4_q.sum_word),
    .read_data_o ({memory_octaves, memory_sums})
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) store_7_q <= 1'b0;
    else store_7_q <= step_6_q.store;
  end
  // Sums that are put away now or were a cycle ago are not in the memory yet.
  always_ff @(posedge clk_i) begin
    store_word_7_q <= step_6_q.sum_word;
    if (sweep_begins) stored_word_q <= '1;
    if (store_7_q) begin
      stored_sums_q <= sums;
      stored_octaves_q <= octaves;
      stored_word_q <= store_word_7_q;
    end
    if (step_5_q.resume) begin
      if (store_7_q && store_word_7_q == step_5_q.sum_word) begin
        resume_sums_q <= sums;
        resume_octaves_q <= octaves;
      end else if (stored_word_q == step_5_q.sum_word) begin
        resume_sums_q <= stored_sums_q;
        resume_octaves_q <= stored_octaves_q;
      end else begin
        resume_sums_q <= memory_sums;
        resume_octaves_q <= memory_octaves;
      end
    end
  end

  // ------------------------------------------------ stage 7: drain registers

  typedef struct packed {
    logic              valid;
    logic              columns;
    logic              judges;
    logic [DrainW-1:0] cycles;
    logic [WordW-1:0]  own;
    logic [WordW-1:0]  state;
  } move_t;
  move_t move_0, move_1_q, move_2_q, move_3_q, move_4_q, move_5_q, move_6_q, move_7_q, drained_q;
  always_comb begin
    move_0.valid = move;
    move_0.columns = side_q;
    move_0.judges = group_judges;
    move_0.cycles = drain_cycles;
    move_0.own = own_q;
    move_0.state = resident ? matrix_word_q : '0;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      move_1_q <= '0;
      move_2_q <= '0;
      move_3_q <= '0;
      move_4_q <= '0;
      move_5_q <= '0;
      move_6_q <= '0;
      move_7_q <= '0;
    end else begin
      move_1_q <= move_0;
      move_2_q <= move_1_q;
      move_3_q <= move_2_q;
      move_4_q <= move_3_q;
      move_5_q <= move_4_q;
      move_6_q <= move_5_q;
      move_7_q <= move_6_q;
    end
  end
  assign own_row_read = move_6_q.valid && !move_6_q.columns;
  assign own_column_read = move_6_q.valid && move_6_q.columns;
  assign own_read_word = move_6_q.own;

  // The stopped ones' flags, and, for the judge, all.
  logic [2*Lanes-1:0] flags_write, flags_here, flags_judge;
  logic flags_write_valid;
  prim_sram #(
    .Width(2 * Lanes),
    .Depth(LineWords)
  ) u_flags_drain (
    .clk_i,
    .write_i     (flags_write_valid),
    .write_addr_i(judge_word),
    .write_data_i(flags_write),
    .read_i      (move_6_q.valid || (step && pass_q)),
    .read_addr_i (pass_q ? matrix_word_q : move_6_q.state),
    .read_data_o (flags_here)
  );

  logic [DrainW-1:0] draining_q, drain_turn_q;
  logic [Lanes*HeldSumW-1:0] drain_sums_q;
  logic [Lanes-1:0] drain_blind_q;
  logic [Lanes*17-1:0] drain_octaves_q;
  logic [Lanes*32-1:0] drain_old_q, old_words;
  logic [Lanes-1:0] drain_stopped_q;
  logic flags_valid;  // Not in the first sweep.
  assign flags_valid = !first_sweep || (resident && damped && side_q);
  always_comb begin
    old_words = move_7_q.columns ? columns_out : rows_out;
    if (in_place || (move_7_q.columns ? column_default : row_default)) begin
      old_words = held ? {Lanes{UnitScaling}} : '0;
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) draining_q <= '0;
    else if (move_7_q.valid) draining_q <= move_7_q.cycles;
    else if (draining_q != '0) draining_q <= draining_q - 1'b1;
  end
  always_ff @(posedge clk_i) begin
    if (move_7_q.valid) begin
      drained_q <= move_7_q;
      drain_turn_q <= '0;
      drain_blind_q <= held_blind;
      for (int unsigned lane = 0; lane < Lanes; lane++) begin
        drain_sums_q[lane*HeldSumW+:HeldSumW] <=
            held ? held_sums[lane*HeldSumW+:HeldSumW] : HeldSumW'(sums[lane*SumW+:SumW]);
      end
      drain_octaves_q <= octaves;
      drain_old_q <= old_words;
      drain_stopped_q <= flags_valid ? flags_here[Lanes-1:0] : '0;
    end else if (draining_q != '0) begin
      drain_turn_q <= drain_turn_q + 1'b1;
      drain_sums_q <= drain_sums_q >> (LogUnits * HeldSumW);
      // Lanes that do not exist are blind: LogUnits need not divide Lanes.
      drain_blind_q <= ~(~drain_blind_q >> LogUnits);
      drain_octaves_q <= drain_octaves_q >> (LogUnits * 17);
      drain_old_q <= drain_old_q >> (LogUnits * 32);
      drain_stopped_q <= drain_stopped_q >> LogUnits;
    end
  end

  // ------------------------------------------------ log units

  // Entry k: k cycles after the lines stood at the units.
  typedef struct packed {
    logic              valid;
    logic              columns;
    logic              judges;
    logic              last;
    logic [DrainW-1:0] turn;
    logic [WordW-1:0]  own;
    logic [WordW-1:0]  state;
    logic [LogUnits-1:0] stopped;
  } solve_t;
  solve_t solve_0;
  solve_t solve_1_q, solve_2_q, solve_3_q, solve_4_q, solve_5_q, solve_6_q, solve_7_q, solve_8_q,
      solve_9_q, solve_10_q, solve_11_q;
  always_comb begin
    solve_0.valid = draining_q != '0;
    solve_0.columns = drained_q.columns;
    solve_0.judges = drained_q.judges;
    solve_0.last = draining_q == DrainW'(1);
    solve_0.turn = drain_turn_q;
    solve_0.own = drained_q.own;
    solve_0.state = drained_q.state;
    solve_0.stopped = drain_stopped_q[LogUnits-1:0];
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      solve_1_q <= '0;
      solve_2_q <= '0;
      solve_3_q <= '0;
      solve_4_q <= '0;
      solve_5_q <= '0;
      solve_6_q <= '0;
      solve_7_q <= '0;
      solve_8_q <= '0;
      solve_9_q <= '0;
      solve_10_q <= '0;
      solve_11_q <= '0;
    end else begin
      solve_1_q <= solve_0;
      solve_2_q <= solve_1_q;
      solve_3_q <= solve_2_q;
      solve_4_q <= solve_3_q;
      solve_5_q <= solve_4_q;
      solve_6_q <= solve_5_q;
      solve_7_q <= solve_6_q;
      solve_8_q <= solve_7_q;
      solve_9_q <= solve_8_q;
      solve_10_q <= solve_9_q;
      solve_11_q <= solve_10_q;
    end
  end
  logic [LogUnits*32-1:0] unit_next;
  logic [LogUnits*31-1:0] unit_residual;
  solve_t solved;  // The lines whose scalings are there.
  assign solved = held ? solve_9_q : solve_6_q;
  for (genvar unit = 0; unit < LogUnits; unit++) begin : gen_unit
    logic [31:0] log_next, divide_next;
    logic [30:0] log_residual, divide_residual;
    sinkhorn_log_unit #(
      .SumW(SumW)
    ) u_unit (
      .clk_i,
      .damped_i  (damped),
      .target_i  (solve_4_q.columns ? column_target : '0),
      .sum_i     (drain_sums_q[unit*HeldSumW+:SumW]),
      .octave_i  (drain_octaves_q[unit*17+:17]),
      .old_i     (drain_old_q[unit*32+:32]),
      .next_o    (log_next),
      .residual_o(log_residual)
    );
    sinkhorn_divide_unit u_divide (
      .clk_i,
      .en_i      (held && solve_0.valid),
      .column_4_i(solve_4_q.columns),
      .mantissa_i(inverse_mantissa),
      .shift_i   (inverse_shift),
      .sum_i     (drain_sums_q[unit*HeldSumW+:HeldSumW]),
      .blind_i   (drain_blind_q[unit]),
      .old_i     ({drain_old_q[unit*32+24+:6], drain_old_q[unit*32+:17]}),
      .next_o    (divide_next),
      .residual_o(divide_residual)
    );
    assign unit_next[unit*32+:32] = held ? divide_next : log_next;
    assign unit_residual[unit*31+:31] = held ? divide_residual : log_residual;
  end

  // ------------------------------------------------ new scalings

  logic [Lanes-1:0] warm_lanes;
  logic [Lanes*32-1:0] warm_words;
  logic warm_piece;
  always_comb begin
    row_write = '0;
    column_write = '0;
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      if (warm_piece) begin
        row_write[lane] = warm_lanes[lane] && section_q == Rows;
        column_write[lane] = warm_lanes[lane] && section_q == Columns;
        new_scalings[lane*32+:32] = warm_words[lane*32+:32];
      end else if (top_write) begin
        column_write[lane] = piece_6_q.lane == LaneW'(lane);
        new_scalings[lane*32+:32] = top_word;
      end else begin
        row_write[lane] =
            solved.valid && !solved.columns && solved.turn == DrainW'(lane / LogUnits) &&
                          !solved.stopped[lane%LogUnits];
        column_write[lane] =
            solved.valid && solved.columns && solved.turn == DrainW'(lane / LogUnits) &&
                             !solved.stopped[lane%LogUnits];
        new_scalings[lane*32+:32] = unit_next[(lane%LogUnits)*32+:32];
      end
    end
  end
  always_comb begin
    new_word = solved.own;
    if (warm_piece) new_word = line_word;
    else if (top_write) new_word = piece_6_q.state;
    if (warm_piece || top_write) new_copy = 1'b0;
    else new_copy = solved.columns ? !column_copy : !row_copy;
  end

  // ------------------------------------------------ the judge

  logic [Lanes-1:0] over_q, over_here;
  logic [LogUnits*32-1:0] running_residuals;
  logic [31:0] largest;
  logic [31:0] largest_11_q;
  logic [30:0] row_residual_q, column_residual_q;
  always_comb begin
    over_here = '0;
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      if (solve_10_q.turn == DrainW'(lane / LogUnits))
        over_here[lane] =
            !solve_10_q.stopped[lane%LogUnits] && unit_residual[(lane%LogUnits)*31+:31] > tolerance;
    end
    running_residuals = '0;
    for (int unsigned unit = 0; unit < LogUnits; unit++) begin
      if (!solve_10_q.stopped[unit]) running_residuals[unit*32+:31] = unit_residual[unit*31+:31];
    end
  end
  sinkhorn_maximum #(
    .Count(LogUnits),
    .Width(32)
  ) u_largest (
    .data_i   (running_residuals),
    .largest_o(largest)
  );
  always_ff @(posedge clk_i) begin
    if (solve_10_q.valid) largest_11_q <= largest;
  end
  prim_sram #(
    .Width(2 * Lanes),
    .Depth(LineWords)
  ) u_flags_judge (
    .clk_i,
    .write_i     (flags_write_valid),
    .write_addr_i(judge_word),
    .write_data_i(flags_write),
    .read_i      (solve_10_q.valid && solve_10_q.last),
    .read_addr_i (solve_10_q.state),
    .read_data_o (flags_judge)
  );

  // A matrix's verdict is that of all its lanes.
  logic [Lanes-1:0] over_all, stopped_before, stopped_after, taken;
  logic over_matrix_q, judge;
  for (genvar k = 0; k < LaneW; k++) begin : gen_any
    localparam int unsigned Far = 2 ** k;
    logic [Lanes-1:0] from, to;
    if (k == 0) begin : gen_first
      assign from = over_q;
    end else begin : gen_next
      assign from = gen_any[k-1].to;
    end
    for (genvar lane = 0; lane < Lanes; lane++) begin : gen_or
      if (lane + Far < Lanes) begin : gen_far
        assign to[lane] =
            from[lane] || (from[lane+Far] && place_q[(lane+Far)*LaneW+:LaneW] >= LaneW'(Far));
      end else begin : gen_end
        assign to[lane] = from[lane];
      end
    end
  end
  sinkhorn_spread #(
    .Lanes(Lanes),
    .Width(1)
  ) u_spread_over (
    .place_i(place_q),
    .data_i (gen_any[LaneW-1].to),
    .data_o (over_all)
  );
  assign judge = solve_11_q.valid && solve_11_q.last;
  assign judge_word = solve_11_q.state;
  logic final_part;  // Of a damped update the column sweep.
  logic [Lanes-1:0] over_both;
  assign final_part = solve_11_q.judges && (!damped || solve_11_q.columns);
  assign stopped_before = flags_valid ? flags_judge[Lanes-1:0] : '0;
  assign over_both = over_all | {Lanes{over_matrix_q}} |
                     ((resident && damped && solve_11_q.columns) ? flags_judge[2*Lanes-1:Lanes] :
                         '0);
  assign stopped_after = stopped_before |
                         ((final_part && stop && !first_sweep) ? ~over_both : '0);
  assign taken = (final_part && sweep_q <= (CountW + 1)'(half_steps)) ? ~stopped_after : '0;
  assign flags_write_valid = judge && solve_11_q.judges;
  assign flags_write = {over_both, stopped_after};
  assign count_write = judge ? taken : '0;

  always_ff @(posedge clk_i) begin
    if (solve_10_q.valid) over_q <= (solve_10_q.turn == '0) ? over_here : over_q | over_here;
    if (block_starts || pass_starts || (sweep_begins && (resident || command_ready_o))) begin
      over_matrix_q <= 1'b0;
    end else if (judge) over_matrix_q <= !solve_11_q.judges && (over_matrix_q || over_all[0]);
    if (sweep_begins && !pass_next &&
        !(resident && side_q == 1'b0 && damped && !sweep_starts_q)) begin
      running_q <= 1'b0;
      kept_q <= 1'b0;
      row_residual_q <= '0;
      column_residual_q <= '0;
    end else begin
      if (judge && final_part) begin
        running_q <= running_q || !(&stopped_after);
        kept_q <= kept_q || (|taken);
      end
      if (solve_11_q.valid &&
          largest_11_q > {1'b0, solve_11_q.columns ? column_residual_q : row_residual_q}) begin
        if (solve_11_q.columns) column_residual_q <= largest_11_q[30:0];
        else row_residual_q <= largest_11_q[30:0];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sweep_end_o <= 1'b0;
      block_end_o <= 1'b0;
    end else begin
      sweep_end_o <= judged;
      block_end_o <= to_output;
    end
  end
  always_ff @(posedge clk_i) begin
    if (judged) begin
      sweep_kept_o <= kept_q;
      sweep_o <= sweep_q;
      row_residual_o <= row_residual_q;
      column_residual_o <= column_residual_q;
    end
  end

  // ------------------------------------------------ input: scalings and logits

  assign warm_piece = piece && !at_elements && first_sweep;
  logic [Lanes-1:0] warm_mask;
  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++)
      warm_mask[k] = CntW'(k) >= CntW'(line_offset) &&
          (CntW + 1)'(k) < (CntW + 1)'(line_offset) + (CntW + 1)'(line_length);
  end

  logic [Lanes*16-1:0] codes;
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_logit
    logic signed [31:0] code;
    assign code = four_bytes ? data_q[lane*32+:32] : 32'($signed(data_q[lane*16+:16]));
    sinkhorn_logit u_logit (
      .clk_i,
      .code_i    (code),
      .mantissa_i(factor_mantissa),
      .shift_i   (factor_shift),
      .logit_o   (codes[lane*16+:16])
    );
  end

  typedef struct packed {
    logic             valid;
    logic [LaneW-1:0] offset;
    logic [CntW-1:0]  length;
    logic [LaneW-1:0] turn;
    logic [LaneW-1:0] phase;
    logic [TileW-1:0] word;
    logic             half;
    logic [LineW-1:0] rows;
    // Held K: elements that the mask shows; the matrix and its ends.
    logic [CntW-1:0]  seen;
    logic             first;
    logic             ends;
    logic [LaneW-1:0] lane;
    logic [WordW-1:0] state;
  } piece_t;
  piece_t piece_1, piece_2_q, piece_3_q, piece_4_q, piece_5_q, piece_6_q;
  logic in_half_q;
  always_comb begin
    piece_1.valid = piece && at_elements;
    piece_1.offset = element_offset;
    piece_1.length = element_length;
    piece_1.turn = minus(element_offset, element_bank);
    piece_1.phase = wide_q ? element_phase : '0;
    piece_1.word = element_word;
    piece_1.half = in_half_q;
    piece_1.rows = walk_rows_q;
    piece_1.seen = element_seen;
    piece_1.first = element_row == '0 && element_column == '0;
    piece_1.ends = element_ends_matrix;
    piece_1.lane = element_lane;
    piece_1.state = element_state_word;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      piece_2_q <= '0;
      piece_3_q <= '0;
      piece_4_q <= '0;
      piece_5_q <= '0;
      piece_6_q <= '0;
    end else begin
      piece_2_q <= piece_1;
      piece_3_q <= piece_2_q;
      piece_4_q <= piece_3_q;
      piece_5_q <= piece_4_q;
      piece_6_q <= piece_5_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (block_starts || pass_starts) in_half_q <= 1'b0;
    else if (chunk_in) in_half_q <= !in_half_q;
  end
  assign tile_write_word = piece_4_q.word;
  assign tile_write_half = piece_4_q.half;

  // One rotator for both: logits come three cycles after their piece, and after
  // all scalings.
  logic [Lanes*34-1:0] in_words, in_turned;
  logic [CntW:0] in_end, in_cross;
  assign in_end = (CntW + 1)'(piece_4_q.offset) + (CntW + 1)'(piece_4_q.length);
  assign in_cross =
      (CntW + 1)'(piece_4_q.offset) + (CntW + 1)'(Lanes) - (CntW + 1)'(piece_4_q.phase);
  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      if (warm_piece) begin
        in_words[k*34+:34] = {1'b0, warm_mask[k], data_q[k*32+:32]};
      end else begin
        in_words[k*34+:34] = {(CntW + 1)'(k) >= in_cross,
                              piece_4_q.valid && (CntW + 1)'(k) >= (CntW + 1)'(piece_4_q.offset) &&
                                  (CntW + 1)'(k) < in_end,
                              16'b0, codes[k*16+:16]};
      end
      if (writes_7_q) in_words[k*34+:34] = {2'b01, back_words[k*32+:32]};
    end
  end
  logic [LaneW-1:0] in_amount;
  always_comb begin
    if (writes_7_q) in_amount = minus('0, back_turn_q[7]);
    else if (warm_piece) in_amount = minus(line_offset, line_lane);
    else in_amount = piece_4_q.turn;
  end
  sinkhorn_rotate #(
    .Lanes(Lanes),
    .Width(34)
  ) u_turn_input (
    .data_i  (in_words),
    .amount_i(in_amount),
    .data_o  (in_turned)
  );
  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      warm_words[k*32+:32] = in_turned[k*34+:32];
      warm_lanes[k] = in_turned[k*34+32];
      tile_data[k*32+:32] = writes_8_q ? back_q[k*32+:32] : {16'b0, in_turned[k*34+:16]};
      tile_write[k] = writes_8_q || (in_turned[k*34+32] && !warm_piece && !writes_7_q);
      tile_crossing[k] = in_turned[k*34+33];
    end
  end

  // A pass's words back to where they were read.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      writes_7_q <= 1'b0;
      writes_8_q <= 1'b0;
    end else begin
      writes_7_q <= step_6_q.writes;
      writes_8_q <= writes_7_q;
    end
  end
  always_ff @(posedge clk_i) begin
    back_word_q[2] <= tile_1_q;
    for (int unsigned k = 3; k <= 8; k++) back_word_q[k] <= back_word_q[k-1];
    back_turn_q[2] <= tile_turn_1_q;
    for (int unsigned k = 3; k <= 7; k++) back_turn_q[k] <= back_turn_q[k-1];
    if (writes_7_q) begin
      for (int unsigned k = 0; k < Lanes; k++) back_q[k*32+:32] <= in_turned[k*34+:32];
    end
  end

  // ------------------------------------------------ held K: the largest logit

  // Of a piece in two stages; of a matrix so far. It waits, negated, as a column
  // scaling for the pass that makes K.
  localparam int unsigned Fours = (Lanes + 3) / 4;
  logic [Fours*64-1:0] visible_codes;
  logic [Fours*16-1:0] fours, fours_5_q;
  logic signed [15:0] piece_top, piece_top_6_q, top, top_q;
  logic top_write;
  logic [31:0] top_word;
  always_comb begin
    visible_codes = {4 * Fours{16'h8000}};
    for (int unsigned k = 0; k < Lanes; k++) begin
      if ((CntW + 1)'(k) >= (CntW + 1)'(piece_4_q.offset) &&
          (CntW + 1)'(k) < (CntW + 1)'(piece_4_q.offset) + (CntW + 1)'(piece_4_q.seen))
        visible_codes[k*16+:16] = codes[k*16+:16];
    end
  end
  for (genvar four = 0; four < Fours; four++) begin : gen_four
    sinkhorn_maximum #(
      .Count(4),
      .Width(16)
    ) u_four (
      .data_i   (visible_codes[four*64+:64]),
      .largest_o(fours[four*16+:16])
    );
  end
  sinkhorn_maximum #(
    .Count(Fours),
    .Width(16)
  ) u_top (
    .data_i   (fours_5_q),
    .largest_o(piece_top)
  );
  assign top = (piece_6_q.first || piece_top_6_q > top_q) ? piece_top_6_q : top_q;
  assign top_write = held && piece_6_q.valid && piece_6_q.ends;
  assign top_word = -(32'(top) << left_shift);
  always_ff @(posedge clk_i) begin
    if (held && piece_4_q.valid) fours_5_q <= fours;
    piece_top_6_q <= piece_top;
    if (piece_6_q.valid) top_q <= top;
  end

  // ------------------------------------------------ stage 7: pieces join; output

  logic [Lanes*32-1:0] beat_out_q;
  logic push_q;
  logic [BytesW-1:0] push_bytes_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) push_q <= 1'b0;
    else push_q <= slot_join.valid && slot_join.last;
  end
  always_ff @(posedge clk_i) begin
    push_bytes_q <= slot_join.bytes;
    if (slot_join.valid) begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        if ((CntW + 1)'(k) >= (CntW + 1)'(slot_join.offset) &&
            (CntW + 1)'(k) < (CntW + 1)'(slot_join.offset) + (CntW + 1)'(slot_join.length)) begin
          beat_out_q[k*32+:32] <=
              ((CntW + 1)'(k) < (CntW + 1)'(slot_join.offset) + (CntW + 1)'(slot_join.seen)) ?
                                  words[k*32+:32] : '0;
        end else if (slot_join.first) begin
          beat_out_q[k*32+:32] <= '0;
        end
      end
    end
  end

  logic [Lanes*32-1:0] head;
  logic [BytesW-1:0] head_bytes;
  prim_fifo #(
    .Width(Lanes * 32 + BytesW),
    .Depth(FifoDepth)
  ) u_output (
    .clk_i,
    .rst_ni,
    .push_i (push_q),
    .data_i ({push_bytes_q, beat_out_q}),
    .valid_o(output_valid_o),
    .ready_i(output_ready_i),
    .data_o ({head_bytes, head})
  );
  assign output_data_o = head;
  assign output_bytes_o = head_bytes;

`ifndef SYNTHESIS
  ScaleCreditsHold: assert property (@(posedge clk_i) disable iff (!rst_ni)
      credits_q <= CreditW'(FifoDepth));
  ScaleHalvesHold: assert property (@(posedge clk_i) disable iff (!rst_ni)
      occupied_q != 2'd3 && ready_q <= occupied_q);
  ScaleDrainIsEmpty: assert property (@(posedge clk_i) disable iff (!rst_ni)
      move_7_q.valid |-> draining_q <= DrainW'(1));
`endif

endmodule
