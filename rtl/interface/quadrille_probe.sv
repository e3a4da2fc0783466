// Counters for the reader of a waveform, bound into an engine that writes one
// (quadrille rtl build --waves): no engine has them otherwise.
//
// `cycle` is the chip's, set from outside, because an engine that rests is not
// clocked. The others count what the ports have taken since the reset.
module quadrille_probe (
  input logic clk_i,
  input logic rst_ni,

  input logic command_valid_i,
  input logic command_ready_o,
  input logic input_valid_i,
  input logic input_ready_o,
  input logic output_valid_o,
  input logic output_ready_i
);

  /* verilator lint_off UNUSEDSIGNAL */
  logic [63:0] cycle /* verilator public_flat_rw */;
  logic [63:0] commands;
  logic [63:0] input_beats;
  logic [63:0] output_beats;
  /* verilator lint_on UNUSEDSIGNAL */

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      commands     <= '0;
      input_beats  <= '0;
      output_beats <= '0;
    end else begin
      if (command_valid_i && command_ready_o) commands <= commands + 64'd1;
      if (input_valid_i && input_ready_o) input_beats <= input_beats + 64'd1;
      if (output_valid_o && output_ready_i) output_beats <= output_beats + 64'd1;
    end
  end

endmodule
