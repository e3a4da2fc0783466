// The Sinkhorn unit: one packed command at a time for SinkhornScale or, when its
// bit 0 is set, for SinkhornApply, and one input and one output stream of
// ready/valid beats. The two are beside each other; this module only switches
// between their pins, which are Moore.
// Timing contract and command layout: docs/engines/sinkhorn.md.
module sinkhorn_engine #(
  parameter int unsigned Lanes        = 4,
  parameter int unsigned TileElements = 1024,
  parameter int unsigned MaxLines     = 512,
  parameter int unsigned LogUnits     = 2,
  parameter int unsigned ValueColumns = 2,
  parameter int unsigned Skewed       = 1,
  parameter int unsigned CommandW     = 228,
  parameter int unsigned BeatWords    = (Lanes > ValueColumns) ? Lanes : ValueColumns,
  parameter int unsigned BytesW       = $clog2(4 * BeatWords + 1)
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    command_valid_i,
  output logic                    command_ready_o,
  input  logic [    CommandW-1:0] command_i,
  input  logic                    input_valid_i,
  output logic                    input_ready_o,
  input  logic [BeatWords*32-1:0] input_data_i,
  output logic                    repeat_input_o,
  output logic                    output_valid_o,
  input  logic                    output_ready_i,
  output logic [BeatWords*32-1:0] output_data_o,
  output logic [      BytesW-1:0] output_bytes_o,
  // Status registers of a scale, new in the cycle that shows sweep_end_o: which
  // sweep of its block ended, whether a matrix took its scalings, what it measured.
  output logic                    sweep_end_o,
  output logic                    block_end_o,
  output logic                    sweep_kept_o,
  output logic [            20:0] sweep_o,
  output logic [            30:0] row_residual_o,
  output logic [            30:0] column_residual_o
);

  localparam int unsigned ApplyCommandW = 109;
  localparam int unsigned ScaleBytesW = $clog2(4 * Lanes + 1);

  logic scale_command_ready, scale_input_ready, scale_output_valid;
  logic apply_command_ready, apply_input_ready, apply_output_valid;
  logic [Lanes*32-1:0] scale_output_data;
  logic [ScaleBytesW-1:0] scale_output_bytes;
  logic [BeatWords*32-1:0] apply_output_data;
  logic [BytesW-1:0] apply_output_bytes;
  logic valid;
  assign command_ready_o = scale_command_ready && apply_command_ready;
  assign valid = command_valid_i && command_ready_o;

  sinkhorn_scale #(
    .Lanes       (Lanes),
    .TileElements(TileElements),
    .MaxLines    (MaxLines),
    .LogUnits    (LogUnits),
    .Skewed      (Skewed != 0)
  ) u_scale (
    .clk_i,
    .rst_ni,
    .command_valid_i(valid && !command_i[0]),
    .command_ready_o(scale_command_ready),
    .command_i,
    .input_valid_i,
    .input_ready_o  (scale_input_ready),
    .input_data_i   (input_data_i[Lanes*32-1:0]),
    .repeat_input_o,
    .output_valid_o (scale_output_valid),
    .output_ready_i,
    .output_data_o  (scale_output_data),
    .output_bytes_o (scale_output_bytes),
    .sweep_end_o,
    .block_end_o,
    .sweep_kept_o,
    .sweep_o,
    .row_residual_o,
    .column_residual_o
  );

  sinkhorn_apply #(
    .Lanes       (Lanes),
    .MaxLines    (MaxLines),
    .ValueColumns(ValueColumns)
  ) u_apply (
    .clk_i,
    .rst_ni,
    .command_valid_i(valid && command_i[0]),
    .command_ready_o(apply_command_ready),
    .command_i      (command_i[ApplyCommandW-1:0]),
    .input_valid_i,
    .input_ready_o  (apply_input_ready),
    .input_data_i,
    .output_valid_o (apply_output_valid),
    .output_ready_i,
    .output_data_o  (apply_output_data),
    .output_bytes_o (apply_output_bytes)
  );

  // One of them has a command, or neither.
  assign input_ready_o = scale_input_ready || apply_input_ready;
  assign output_valid_o = scale_output_valid || apply_output_valid;
  assign output_data_o =
      scale_output_valid ? (BeatWords * 32)'(scale_output_data) : apply_output_data;
  assign output_bytes_o = scale_output_valid ? BytesW'(scale_output_bytes) : apply_output_bytes;

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
    .Width(BeatWords * 32)
  ) u_input_stable (
    .clk_i,
    .rst_ni,
    .valid_i(input_valid_i),
    .ready_i(input_ready_o),
    .data_i (input_data_i)
  );
  prim_offer_stable #(
    .Width(BytesW + BeatWords * 32)
  ) u_output_stable (
    .clk_i,
    .rst_ni,
    .valid_i(output_valid_o),
    .ready_i(output_ready_i),
    .data_i ({output_bytes_o, output_data_o})
  );

  EngineOneCommand: assert property (@(posedge clk_i) disable iff (!rst_ni)
      scale_command_ready || apply_command_ready);
  EngineOneInput: assert property (@(posedge clk_i) disable iff (!rst_ni)
      !(scale_input_ready && apply_input_ready));
`endif

endmodule
