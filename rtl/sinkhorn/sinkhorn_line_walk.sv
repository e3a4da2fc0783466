// Walks one word per line of a block (scalings, counts) beat by beat, and of a
// beat stretch by stretch of neighbouring lanes: in every cycle it shows the
// stretch that comes next. It moves no data and does no more than count.
module sinkhorn_line_walk #(
  parameter int unsigned Lanes     = 4,
  parameter int unsigned MaxLines  = 512,
  parameter int unsigned LaneW     = $clog2(Lanes),
  parameter int unsigned CntW      = $clog2(Lanes + 1),
  parameter int unsigned LineW     = $clog2(MaxLines + 1),
  parameter int unsigned LineWords = (MaxLines + Lanes - 1) / Lanes,
  parameter int unsigned WordW     = (LineWords > 1) ? $clog2(LineWords) : 1,
  parameter int unsigned BlockW    = $clog2(Lanes * LineWords + 1)
) (
  input  logic              clk_i,
  input  logic              start_i,
  input  logic              advance_i,
  input  logic [BlockW-1:0] matrices_i,
  input  logic [ LineW-1:0] lines_i,  // Of a matrix.
  input  logic              wide_i,
  input  logic [  CntW-1:0] stride_i,
  input  logic [  CntW-1:0] side_by_side_i,
  input  logic [  CntW-1:0] full_span_i,  // Lanes of so many matrices.
  input  logic [  CntW-1:0] beat_i,
  output logic [ LaneW-1:0] offset_o,  // Of the stretch in its beat.
  output logic [  CntW-1:0] length_o,
  output logic              ends_beat_o,
  output logic              ends_block_o,
  output logic [ LaneW-1:0] lane_o,
  output logic [ WordW-1:0] word_o,
  output logic [ WordW-1:0] state_word_o
);

  logic [BlockW-1:0] left_q;
  logic [CntW-1:0] place_q, beat_left_q;
  logic [LaneW-1:0] offset_q, lane_q, first_lane_q;
  logic [LineW-1:0] line_q;
  logic [WordW-1:0] word_q, state_word_q;

  // Matrices whose lines fill their stride are one stretch with their
  // neighbours: then a line ends a matrix, not a stretch.
  // Each of the three ends that a stretch can have is held against the beat before
  // it is known which one comes first.
  logic [LineW-1:0] line_left;
  logic [CntW-1:0] lanes_left, matrices_here, partial_span, joined_left, rest;
  logic [BlockW-1:0] left_here;
  logic last_group, joined, at_lanes, ends_stretch, fills_beat, ends_matrix, ends_group;
  assign joined = !wide_i && lines_i == LineW'(stride_i);
  assign line_left = lines_i - line_q;
  assign lanes_left = CntW'(Lanes) - CntW'(lane_q);
  assign left_here = left_q;
  assign last_group = left_here < BlockW'(side_by_side_i);
  assign matrices_here = last_group ? left_here[CntW-1:0] : side_by_side_i;
  assign partial_span = left_here[CntW-1:0] * stride_i;
  assign joined_left = (last_group ? partial_span : full_span_i) - CntW'(lane_q);
  assign at_lanes = wide_i && LineW'(lanes_left) < line_left;
  always_comb begin
    if (joined) begin
      rest = joined_left;
      ends_stretch = joined_left <= beat_left_q;
      fills_beat = joined_left == beat_left_q;
    end else if (at_lanes) begin
      rest = lanes_left;
      ends_stretch = lanes_left <= beat_left_q;
      fills_beat = lanes_left == beat_left_q;
    end else begin
      rest = line_left[CntW-1:0];
      ends_stretch = line_left <= LineW'(beat_left_q);
      fills_beat = line_left == LineW'(beat_left_q);
    end
  end
  assign length_o = ends_stretch ? rest : beat_left_q;
  assign ends_matrix = ends_stretch && (joined || !at_lanes);
  assign ends_group = ends_matrix && (joined || wide_i || place_q + 1'b1 == side_by_side_i);
  assign ends_block_o = ends_matrix && left_here == (joined ? BlockW'(matrices_here) : BlockW'(1));
  assign ends_beat_o = !ends_stretch || fills_beat || ends_block_o;
  assign offset_o = offset_q;
  assign lane_o = lane_q;
  assign word_o = word_q;
  assign state_word_o = state_word_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      left_q <= matrices_i;
      place_q <= '0;
      beat_left_q <= beat_i;
      offset_q <= '0;
      lane_q <= '0;
      first_lane_q <= '0;
      line_q <= '0;
      word_q <= '0;
      state_word_q <= '0;
    end else if (advance_i) begin
      beat_left_q <= ends_beat_o ? beat_i : beat_left_q - length_o;
      offset_q <= ends_beat_o ? '0 : offset_q + length_o[LaneW-1:0];
      lane_q <= lane_q + length_o[LaneW-1:0];
      if (!joined) line_q <= line_q + LineW'(length_o);
      if (ends_matrix) begin
        left_q <= left_q - (joined ? BlockW'(matrices_here) : BlockW'(1));
        line_q <= '0;
        place_q <= place_q + 1'b1;
        first_lane_q <= first_lane_q + stride_i[LaneW-1:0];
        lane_q <= first_lane_q + stride_i[LaneW-1:0];
      end
      if (ends_group) begin
        place_q <= '0;
        first_lane_q <= '0;
        state_word_q <= state_word_q + 1'b1;
      end
      if (ends_group || (wide_i && ends_stretch)) begin
        word_q <= word_q + 1'b1;
        lane_q <= '0;
      end
    end
  end

`ifndef SYNTHESIS
  WalkPieceFitsTheBeat: assert property (@(posedge clk_i) disable iff (start_i)
      advance_i |-> length_o <= beat_left_q && length_o != '0);
`endif

endmodule
