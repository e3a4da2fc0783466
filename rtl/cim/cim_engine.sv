// The CIM bank: macros of cells that hold weights and multiply by them, a port
// that writes and a port that computes, each with its own command and streams.
// The ports' clocks are branches of one: either may stand still while its port
// has no command, and they are never asynchronous to each other.
// Pins are Moore: no output depends on an input of the same cycle. It does not
// track what the macros hold and checks no command: that a multiply finds the
// weights it names, and that no write meets macros in use, is the sender's care.
// Timing contract and command layout: docs/engines/cim.md.
module cim_engine #(
  parameter int unsigned Macros           = 32,
  parameter int unsigned Rows             = 64,
  parameter int unsigned Columns          = 16,
  parameter int unsigned WeightBits       = 8,
  parameter int unsigned InputBits        = 8,
  parameter int unsigned InputBytes       = 16,
  parameter int unsigned OutputBytes      = 16,
  parameter int unsigned WriteBytes       = 16,
  parameter int unsigned WriteCommandW    = 62,
  parameter int unsigned MultiplyCommandW = 117,
  parameter int unsigned BytesW           = $clog2(OutputBytes + 1)
) (
  input  logic                        clk_write_i,
  input  logic                        clk_multiply_i,
  input  logic                        rst_ni,
  input  logic                        write_command_valid_i,
  output logic                        write_command_ready_o,
  input  logic [   WriteCommandW-1:0] write_command_i,
  input  logic                        write_input_valid_i,
  output logic                        write_input_ready_o,
  input  logic [    WriteBytes*8-1:0] write_input_data_i,
  input  logic                        multiply_command_valid_i,
  output logic                        multiply_command_ready_o,
  input  logic [MultiplyCommandW-1:0] multiply_command_i,
  input  logic                        multiply_input_valid_i,
  output logic                        multiply_input_ready_o,
  input  logic [    InputBytes*8-1:0] multiply_input_data_i,
  output logic                        multiply_output_valid_o,
  input  logic                        multiply_output_ready_i,
  output logic [   OutputBytes*8-1:0] multiply_output_data_o,
  output logic [          BytesW-1:0] multiply_output_bytes_o
);

  localparam int unsigned Granule = (Columns < WriteBytes) ? Columns : WriteBytes;
  localparam int unsigned Granules = (Columns + Granule - 1) / Granule;
  localparam int unsigned Beats = Rows / InputBytes;
  localparam int unsigned Words = OutputBytes / 4;
  localparam int unsigned WordsW = $clog2(Words + 1);
  localparam int unsigned Parts = Columns / Words;
  localparam int unsigned Buffers = 4;
  localparam int unsigned BufferW = $clog2(Buffers);
  localparam int unsigned MacroW = (Macros > 1) ? $clog2(Macros) : 1;
  localparam int unsigned TilesW = $clog2(Macros + 1);
  localparam int unsigned RowW = (Rows > 1) ? $clog2(Rows) : 1;
  localparam int unsigned ShiftW = (InputBits > 1) ? $clog2(InputBits) : 1;
  localparam int unsigned AccW = WeightBits + InputBits + $clog2(Rows);
  // From a read to the FIFO's output: the buffers' register, the tree, the FIFO.
  localparam int unsigned TreeStages = ($clog2(Macros) + 1) / 2;
  localparam int unsigned ReadLatency = 3 + TreeStages;
  localparam int unsigned EpilogueLatency = 6;
  localparam int unsigned FifoDepth = ReadLatency + EpilogueLatency + 1;

  // ------------------------------------------------ write port

  logic bus_valid;
  logic [MacroW-1:0] bus_macro;
  logic [RowW-1:0] bus_row;
  logic [Granules-1:0] bus_granule;
  logic [Granule-1:0] bus_lanes;
  logic [Granule*WeightBits-1:0] bus_data;
  cim_write_port #(
    .Macros    (Macros),
    .Rows      (Rows),
    .Columns   (Columns),
    .Bits      (WeightBits),
    .WriteBytes(WriteBytes),
    .CommandW  (WriteCommandW)
  ) u_write (
    .clk_i          (clk_write_i),
    .rst_ni,
    .command_valid_i(write_command_valid_i),
    .command_ready_o(write_command_ready_o),
    .command_i      (write_command_i),
    .input_valid_i  (write_input_valid_i),
    .input_ready_o  (write_input_ready_o),
    .input_data_i   (write_input_data_i),
    .bus_valid_o    (bus_valid),
    .bus_macro_o    (bus_macro),
    .bus_row_o      (bus_row),
    .bus_granule_o  (bus_granule),
    .bus_lanes_o    (bus_lanes),
    .bus_data_o     (bus_data)
  );

  // ------------------------------------------------ compute port

  logic start, load, load_to, bit_cycle, bit_from, count, sum, add, first, store, read, given;
  logic [MacroW-1:0] load_base, read_column;
  logic [TilesW-1:0] load_macros;
  logic [Beats-1:0] load_beat;
  logic [InputBits*InputBytes-1:0] load_codes;
  logic [ShiftW-1:0] bit_index, shift;
  logic [WeightBits-1:0] used, negative;
  logic [BufferW-1:0] store_to, read_from;
  logic [Parts-1:0] read_part;
  logic [WordsW-1:0] read_words;
  logic [16:0] read_mantissa;
  logic [5:0] read_shift;
  logic epilogue_works;
  logic [1:0] result_width;
  logic [15:0] factor;
  logic [5:0] factor_shift;
  cim_multiply_port #(
    .Macros    (Macros),
    .Rows      (Rows),
    .Columns   (Columns),
    .Bits      (WeightBits),
    .InputBits (InputBits),
    .InputBytes(InputBytes),
    .Words     (Words),
    .Buffers   (Buffers),
    .FifoDepth (FifoDepth),
    .CommandW  (MultiplyCommandW)
  ) u_multiply (
    .clk_i          (clk_multiply_i),
    .rst_ni,
    .command_valid_i(multiply_command_valid_i),
    .command_ready_o(multiply_command_ready_o),
    .command_i      (multiply_command_i),
    .input_valid_i  (multiply_input_valid_i),
    .input_ready_o  (multiply_input_ready_o),
    .input_data_i   (multiply_input_data_i),
    .start_o        (start),
    .load_o         (load),
    .load_to_o      (load_to),
    .load_base_o    (load_base),
    .load_macros_o  (load_macros),
    .load_beat_o    (load_beat),
    .load_codes_o   (load_codes),
    .bit_o          (bit_cycle),
    .bit_from_o     (bit_from),
    .bit_index_o    (bit_index),
    .count_o        (count),
    .used_o         (used),
    .sum_o          (sum),
    .negative_o     (negative),
    .add_o          (add),
    .first_o        (first),
    .shift_o        (shift),
    .store_o        (store),
    .store_to_o     (store_to),
    .read_o         (read),
    .read_from_o    (read_from),
    .read_column_o  (read_column),
    .read_part_o    (read_part),
    .read_words_o   (read_words),
    .read_mantissa_o(read_mantissa),
    .read_shift_o   (read_shift),
    .epilogue_o     (epilogue_works),
    .width_o        (result_width),
    .factor_o       (factor),
    .factor_shift_o (factor_shift),
    .given_i        (given)
  );

  // ------------------------------------------------ macros

  logic [Macros*Words*AccW-1:0] sums;
  for (genvar m = 0; m < Macros; m++) begin : gen_macro
    // Takes part in the command, and holds this column tile: known from the
    // first codes that came for it.
    logic member_q, loads, written;
    logic [MacroW-1:0] column_q;
    logic [MacroW:0] offset;
    assign offset = (MacroW + 1)'(m) - (MacroW + 1)'(load_base);
    assign loads = load && offset < (MacroW + 1)'(load_macros);
    assign written = bus_valid && bus_macro == MacroW'(m);
    always_ff @(posedge clk_multiply_i or negedge rst_ni) begin
      if (!rst_ni) member_q <= 1'b0;
      else if (start) member_q <= 1'b0;
      else if (loads) member_q <= 1'b1;
    end
    always_ff @(posedge clk_multiply_i) begin
      if (loads) column_q <= offset[MacroW-1:0];
    end

    cim_macro #(
      .Rows      (Rows),
      .Columns   (Columns),
      .Bits      (WeightBits),
      .InputBits (InputBits),
      .InputBytes(InputBytes),
      .Granule   (Granule),
      .Words     (Words),
      .Buffers   (Buffers)
    ) u_macro (
      .clk_i      (clk_multiply_i),
      .clk_write_i,
      .write_i    (written ? bus_granule : '0),
      .row_i      (bus_row),
      .lanes_i    (bus_lanes),
      .weights_i  (bus_data),
      .load_i     (loads ? load_beat : '0),
      .load_to_i  (load_to),
      .codes_i    (load_codes),
      .bit_i      (bit_cycle && member_q),
      .bit_from_i (bit_from),
      .bit_index_i(bit_index),
      .count_i    (count && member_q),
      .used_i     (used),
      .sum_i      (sum && member_q),
      .negative_i (negative),
      .add_i      (add && member_q),
      .first_i    (first),
      .shift_i    (shift),
      .store_i    (store && member_q),
      .store_to_i (store_to),
      .read_i     (read && member_q && column_q == read_column ? read_part : '0),
      .read_from_i(read_from),
      .sums_o     (sums[m*Words*AccW+:Words*AccW])
    );
  end

  // ------------------------------------------------ read-out

  // Entry 0: what the buffers' output registers hold; the last: the tree's sums.
  logic [TreeStages:0] valid_q;
  logic [(TreeStages+1)*WordsW-1:0] words_q;
  logic [(TreeStages+1)*17-1:0] mantissa_q;
  logic [(TreeStages+1)*6-1:0] shift_q;
  always_ff @(posedge clk_multiply_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= (TreeStages + 1)'({valid_q, read});
  end
  always_ff @(posedge clk_multiply_i) begin
    words_q <= ((TreeStages + 1) * WordsW)'({words_q, read_words});
    mantissa_q <= ((TreeStages + 1) * 17)'({mantissa_q, read_mantissa});
    shift_q <= ((TreeStages + 1) * 6)'({shift_q, read_shift});
  end

  logic [Words*32-1:0] totals;
  for (genvar word = 0; word < Words; word++) begin : gen_lane
    logic [Macros*AccW-1:0] terms;
    for (genvar m = 0; m < Macros; m++) begin : gen_term
      assign terms[m*AccW+:AccW] = sums[(m*Words+word)*AccW+:AccW];
    end
    cim_lane #(
      .Macros(Macros),
      .AccW  (AccW)
    ) u_lane (
      .clk_i  (clk_multiply_i),
      .used_i (WordsW'(word) < words_q[WordsW-1:0]),
      .terms_i(terms),
      .sum_o  (totals[word*32+:32])
    );
  end

  logic result_valid;
  logic [BytesW-1:0] result_bytes;
  logic [Words*32-1:0] results;
  cim_epilogue #(
    .Words (Words),
    .BytesW(BytesW)
  ) u_epilogue (
    .clk_i         (clk_multiply_i),
    .rst_ni,
    .works_i       (epilogue_works),
    .width_i       (result_width),
    .factor_i      (factor),
    .factor_shift_i(factor_shift),
    .valid_i       (valid_q[TreeStages]),
    .words_i       (words_q[TreeStages*WordsW+:WordsW]),
    .sums_i        (totals),
    .mantissa_i    (mantissa_q[TreeStages*17+:17]),
    .shift_i       (shift_q[TreeStages*6+:6]),
    .valid_o       (result_valid),
    .bytes_o       (result_bytes),
    .data_o        (results)
  );

  prim_fifo #(
    .Width(BytesW + Words * 32),
    .Depth(FifoDepth)
  ) u_output (
    .clk_i  (clk_multiply_i),
    .rst_ni,
    .push_i (result_valid),
    .data_i ({result_bytes, results}),
    .valid_o(multiply_output_valid_o),
    .ready_i(multiply_output_ready_i),
    .data_o ({multiply_output_bytes_o, multiply_output_data_o})
  );
  assign given = multiply_output_valid_o && multiply_output_ready_i;

`ifndef SYNTHESIS
  // What the parameters must satisfy beyond the chip's own limits.
  initial begin
    BeatsFitMacros: assert (Rows % InputBytes == 0);
    ReciprocalsFitBeats: assert (InputBytes % 4 == 0);
    WordsFitBeats: assert (OutputBytes % 4 == 0);
    BeatsFitColumns: assert (Columns % Words == 0);
    MacrosFitCommand: assert (Macros < 2 ** 12 && Macros * Columns < 2 ** 20);
  end

  prim_offer_stable #(
    .Width(WriteCommandW)
  ) u_write_command_stable (
    .clk_i  (clk_write_i),
    .rst_ni,
    .valid_i(write_command_valid_i),
    .ready_i(write_command_ready_o),
    .data_i (write_command_i)
  );
  prim_offer_stable #(
    .Width(WriteBytes * 8)
  ) u_write_input_stable (
    .clk_i  (clk_write_i),
    .rst_ni,
    .valid_i(write_input_valid_i),
    .ready_i(write_input_ready_o),
    .data_i (write_input_data_i)
  );
  prim_offer_stable #(
    .Width(MultiplyCommandW)
  ) u_multiply_command_stable (
    .clk_i  (clk_multiply_i),
    .rst_ni,
    .valid_i(multiply_command_valid_i),
    .ready_i(multiply_command_ready_o),
    .data_i (multiply_command_i)
  );
  prim_offer_stable #(
    .Width(InputBytes * 8)
  ) u_multiply_input_stable (
    .clk_i  (clk_multiply_i),
    .rst_ni,
    .valid_i(multiply_input_valid_i),
    .ready_i(multiply_input_ready_o),
    .data_i (multiply_input_data_i)
  );
  prim_offer_stable #(
    .Width(BytesW + OutputBytes * 8)
  ) u_multiply_output_stable (
    .clk_i  (clk_multiply_i),
    .rst_ni,
    .valid_i(multiply_output_valid_o),
    .ready_i(multiply_output_ready_i),
    .data_i ({multiply_output_bytes_o, multiply_output_data_o})
  );
`endif

endmodule
