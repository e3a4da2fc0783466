// Walks the elements of a block beat by beat, and of a beat row by row: in
// every cycle it shows the piece of one row that comes next, where it lies in
// the beat and in the banks. It moves no data and does no more than count.
module sinkhorn_element_walk #(
  parameter int unsigned Lanes     = 4,
  parameter int unsigned MaxLines  = 512,
  parameter int unsigned TileWords = 256,
  parameter bit          Skewed    = 1'b1,
  parameter int unsigned LaneW     = $clog2(Lanes),
  parameter int unsigned CntW      = $clog2(Lanes + 1),
  parameter int unsigned LineW     = $clog2(MaxLines + 1),
  parameter int unsigned LineWords = (MaxLines + Lanes - 1) / Lanes,
  parameter int unsigned WordW     = (LineWords > 1) ? $clog2(LineWords) : 1,
  parameter int unsigned BlockW    = $clog2(Lanes * LineWords + 1),
  parameter int unsigned TileW     = $clog2(TileWords)
) (
  input  logic              clk_i,
  input  logic              start_i,
  input  logic              advance_i,
  // The block.
  input  logic [BlockW-1:0] matrices_i,
  input  logic [ LineW-1:0] rows_i,
  input  logic [ LineW-1:0] columns_i,
  input  logic              wide_i,
  input  logic [  CntW-1:0] stride_i,  // Lanes from one matrix to the next.
  input  logic [  CntW-1:0] side_by_side_i,
  // The beats: at most so many elements; none across a row's, a matrix's end.
  input  logic [  CntW-1:0] beat_i,
  input  logic              row_run_i,
  input  logic              matrix_run_i,
  // The piece.
  output logic [ LaneW-1:0] offset_o,  // Its first element in the beat.
  output logic [  CntW-1:0] length_o,
  output logic              ends_beat_o,
  output logic              ends_matrix_o,
  output logic              ends_block_o,
  output logic [ LaneW-1:0] bank_o,
  output logic [ TileW-1:0] word_o,
  output logic [ LaneW-1:0] phase_o,  // Column modulo Lanes, of a wide matrix.
  output logic [ LineW-1:0] row_o,
  output logic [ LineW-1:0] column_o,
  // Of its matrix: first lane, and words of the line memories.
  output logic [ LaneW-1:0] lane_o,
  output logic [ LaneW-1:0] row_lane_o,
  output logic [ WordW-1:0] state_word_o,
  output logic [ WordW-1:0] row_word_o,
  output logic [ WordW-1:0] column_word_o
);

  logic [BlockW-1:0] left_q;
  logic [CntW-1:0] place_q, beat_left_q;
  logic [LaneW-1:0] offset_q, lane_q, row_lane_q, phase_q, row_bank_q, bank_q;
  logic [LineW-1:0] row_q, column_q;
  logic [TileW-1:0] base_q, part_q;  // Of the group or matrix; of its part of Lanes columns.
  logic [WordW-1:0] state_word_q, row_word_q, first_column_word_q, column_word_q;

  // ------------------------------------------------ the piece

  logic [LineW-1:0] row_left;
  logic ends_row, ends_matrix;
  assign row_left = columns_i - column_q;
  assign ends_row = row_left <= LineW'(beat_left_q);
  assign length_o = ends_row ? row_left[CntW-1:0] : beat_left_q;
  assign ends_matrix = ends_row && (row_q + 1'b1 == rows_i);
  assign ends_matrix_o = ends_matrix;
  assign ends_block_o = ends_matrix && left_q == BlockW'(1);
  assign ends_beat_o = length_o == beat_left_q || (ends_row && row_run_i) ||
                       (ends_matrix && matrix_run_i) || ends_block_o;

  assign offset_o = offset_q;
  assign bank_o = bank_q;
  assign word_o = base_q + part_q + TileW'(row_q);
  assign phase_o = phase_q;
  assign row_o = row_q;
  assign column_o = column_q;
  assign lane_o = lane_q;
  assign row_lane_o = row_lane_q;
  assign state_word_o = state_word_q;
  assign row_word_o = row_word_q;
  assign column_word_o = column_word_q;

  // ------------------------------------------------ after it

  function automatic logic [LaneW-1:0] modulo(input logic [CntW:0] value);
    modulo = (value >= (CntW + 1)'(Lanes)) ? LaneW'(value - (CntW + 1)'(Lanes)) : LaneW'(value);
  endfunction

  // Of a piece that ends its row, and of one that ends its beat: both before it is
  // known which one it is.
  logic [CntW:0] row_phase, beat_phase;
  logic crosses, last_part, group_ends;
  logic [TileW-1:0] part_next;
  logic [LaneW-1:0] bank_next;
  assign row_phase = (CntW + 1)'(phase_q) + (CntW + 1)'(row_left[CntW-1:0]);
  assign beat_phase = (CntW + 1)'(phase_q) + (CntW + 1)'(beat_left_q);
  assign crosses = beat_phase >= (CntW + 1)'(Lanes);
  assign last_part = row_phase > (CntW + 1)'(Lanes);
  assign part_next = part_q + TileW'(rows_i);
  assign group_ends = wide_i || place_q + 1'b1 == side_by_side_i;
  assign bank_next = modulo((CntW + 1)'(row_bank_q) + (CntW + 1)'(Skewed));

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      left_q <= matrices_i;
      place_q <= '0;
      beat_left_q <= beat_i;
      offset_q <= '0;
      lane_q <= '0;
      row_lane_q <= '0;
      phase_q <= '0;
      row_bank_q <= '0;
      bank_q <= '0;
      row_q <= '0;
      column_q <= '0;
      base_q <= '0;
      part_q <= '0;
      state_word_q <= '0;
      row_word_q <= '0;
      first_column_word_q <= '0;
      column_word_q <= '0;
    end else if (advance_i) begin
      beat_left_q <= ends_beat_o ? beat_i : beat_left_q - length_o;
      offset_q <= ends_beat_o ? '0 : offset_q + length_o[LaneW-1:0];
      if (!ends_row) begin
        column_q <= column_q + LineW'(beat_left_q);
        phase_q <= modulo(beat_phase);
        bank_q <= modulo((CntW + 1)'(bank_q) + (CntW + 1)'(beat_left_q));
        if (crosses) begin
          part_q <= part_next;
          column_word_q <= column_word_q + 1'b1;
        end
      end else begin
        column_q <= '0;
        phase_q <= '0;
        part_q <= '0;
        row_bank_q <= bank_next;
        bank_q <= bank_next;
        row_q <= row_q + 1'b1;
        column_word_q <= first_column_word_q;
        row_lane_q <= modulo((CntW + 1)'(row_lane_q) + (CntW + 1)'(1));
        if (wide_i && row_lane_q == LaneW'(Lanes - 1)) row_word_q <= row_word_q + 1'b1;
        if (ends_matrix) begin
          left_q <= left_q - 1'b1;
          row_q <= '0;
          if (group_ends) begin
            place_q <= '0;
            lane_q <= '0;
            row_lane_q <= '0;
            row_bank_q <= '0;
            bank_q <= '0;
            // The last part's words end the matrix.
            base_q <= last_part ? base_q + part_next + TileW'(rows_i) : base_q + part_next;
            state_word_q <= state_word_q + 1'b1;
            row_word_q <= row_word_q + 1'b1;
            first_column_word_q <= column_word_q + 1'b1 + WordW'(last_part);
            column_word_q <= column_word_q + 1'b1 + WordW'(last_part);
          end else begin
            place_q <= place_q + 1'b1;
            lane_q <= lane_q + stride_i[LaneW-1:0];
            row_lane_q <= lane_q + stride_i[LaneW-1:0];
            row_bank_q <= lane_q + stride_i[LaneW-1:0];
            bank_q <= lane_q + stride_i[LaneW-1:0];
          end
        end
      end
    end
  end

endmodule
