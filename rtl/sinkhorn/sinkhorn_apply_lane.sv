// One lane of an apply: an element's beat word in cycle c becomes its word of K
// in c + 7: logit (3), both scalings added (1), power (2), code (1). The scalings
// are wanted in c + 3, the rest in c + 6. A word of held K takes the place of the
// code; what is not visible gives 0. It never stalls and carries no valid bit.
module sinkhorn_apply_lane (
  input  logic               clk_i,
  input  logic               wide_i,        // Elements of 4 bytes.
  input  logic               held_i,        // Elements are held K.
  input  logic        [15:0] mantissa_i,
  input  logic        [ 5:0] shift_i,
  input  logic        [ 2:0] fraction_bits_i,  // Of a logit, beyond 8.
  input  logic        [15:0] half_i,
  input  logic        [31:0] word_i,
  input  logic signed [31:0] row_scaling_i,
  input  logic signed [31:0] column_scaling_i,
  input  logic               visible_i,
  input  logic        [31:0] held_word_i,
  output logic signed [31:0] kernel_o
);
  /* verilator no_inline_module */

  // |logit << 8| <= 2^23, a scaling's magnitude at most 2^31.
  localparam int unsigned XW = 34;
  localparam int unsigned OctaveW = XW - 16;

  logic signed [31:0] code;
  assign code = wide_i ? word_i : 32'($signed(half_i));

  logic signed [15:0] logit;
  sinkhorn_logit u_logit (
    .clk_i,
    .code_i(code),
    .mantissa_i,
    .shift_i,
    .logit_o(logit)
  );

  logic signed [23:0] octaves;
  logic signed [XW-1:0] x_q;
  assign octaves = 24'(logit) << (4'd8 - 4'(fraction_bits_i));
  always_ff @(posedge clk_i) begin
    x_q <= XW'(octaves) + XW'(row_scaling_i) + XW'(column_scaling_i);
  end

  logic [16:0] fraction;
  logic signed [OctaveW-1:0] octave, seen_octave;
  sinkhorn_power #(
    .XW(XW)
  ) u_power (
    .clk_i,
    .x_i       (x_q),
    .fraction_o(fraction),
    .octave_o  (octave)
  );

  // The least octave there is: its code is 0.
  assign seen_octave = (visible_i && !held_i) ? octave : {1'b1, {(OctaveW - 1) {1'b0}}};

  logic [30:0] code_q;
  sinkhorn_power_code #(
    .FractionBits(24),
    .OctaveW     (OctaveW)
  ) u_code (
    .clk_i,
    .fraction_i(fraction),
    .octave_i  (seen_octave),
    .code_o    (code_q)
  );

  logic [31:0] held_q;
  always_ff @(posedge clk_i) held_q <= (visible_i && held_i) ? held_word_i : '0;

  assign kernel_o = {1'b0, code_q} | held_q;

endmodule
