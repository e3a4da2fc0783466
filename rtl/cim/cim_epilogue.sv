// What becomes of a beat of sums before it leaves: normalised by its token's reciprocal,
// requantised by the command's factor, saturated to 8 or 16 bits and packed, six cycles
// later; or, of a command without epilogue, passed on at once. A command's beats have all
// left before another command comes, so its settings stand still. Never stalls: a beat has
// a place in the output FIFO (credits).
module cim_epilogue #(
  parameter int unsigned Words  = 4,
  parameter int unsigned WordsW = $clog2(Words + 1),
  parameter int unsigned BytesW = $clog2(Words * 4 + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // Settings of the command.
  input  logic                  works_i,
  input  logic [           1:0] width_i,        // 2: sums of 4 bytes, 1: codes of 2, 0: of 1.
  input  logic [          15:0] factor_i,
  input  logic [           5:0] factor_shift_i,
  // A beat of sums; unused ones are zero.
  input  logic                  valid_i,
  input  logic [    WordsW-1:0] words_i,
  input  logic [  Words*32-1:0] sums_i,
  input  logic [          16:0] mantissa_i,
  input  logic [           5:0] shift_i,
  output logic                  valid_o,
  output logic [    BytesW-1:0] bytes_o,
  output logic [  Words*32-1:0] data_o
);

  localparam int unsigned Stages = 6;

  logic [Stages-1:0] valid_q;
  logic [Stages*WordsW-1:0] words_q;
  logic [5:0] shift_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= Stages'({valid_q, valid_i && works_i});
  end
  always_ff @(posedge clk_i) begin
    words_q <= (Stages * WordsW)'({words_q, words_i});
    shift_q <= shift_i;
  end

  logic [Words*32-1:0] results;
  for (genvar word = 0; word < Words; word++) begin : gen_lane
    cim_epilogue_lane u_lane (
      .clk_i,
      .sum_i         (works_i ? sums_i[word*32+:32] : '0),
      .mantissa_i,
      .shift_1_i     (shift_q),
      .factor_i,
      .factor_shift_i,
      .result_o      (results[word*32+:32])
    );
  end

  // ------------------------------------------------ saturation and packing

  // Within the narrow format when all bits above are copies of the sign.
  logic [Words*8-1:0] codes8;
  logic [Words*16-1:0] codes16;
  for (genvar word = 0; word < Words; word++) begin : gen_codes
    logic [31:0] x;
    assign x = results[word*32+:32];
    assign codes8[word*8+:8] = (&x[31:7] || !(|x[31:7])) ? x[7:0] : {x[31], {7{!x[31]}}};
    assign codes16[word*16+:16] = (&x[31:15] || !(|x[31:15])) ? x[15:0] : {x[31], {15{!x[31]}}};
  end

  logic [WordsW-1:0] words;
  assign words = works_i ? words_q[(Stages-1)*WordsW+:WordsW] : words_i;
  assign valid_o = works_i ? valid_q[Stages-1] : valid_i;
  always_comb begin
    bytes_o = BytesW'({words, 2'b00});
    data_o = works_i ? results : sums_i;
    if (width_i == 2'd1) begin
      bytes_o = BytesW'({words, 1'b0});
      data_o = (Words * 32)'(codes16);
    end else if (width_i == 2'd0) begin
      bytes_o = BytesW'(words);
      data_o = (Words * 32)'(codes8);
    end
  end

endmodule
