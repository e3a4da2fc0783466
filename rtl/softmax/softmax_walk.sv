// A walk over a command's rows, beat by beat: which lanes hold a visible key,
// whether the row ends, where its beat lies in the two row buffers. It waits
// for nobody: whether a beat may move is its caller's business.
module softmax_walk #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned KeyW   = 10,
  parameter int unsigned BytesW = 3,
  parameter int unsigned Beats  = 128,  // of the longest row
  parameter int unsigned AddrW  = $clog2(2 * Beats)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              start_i,
  input  logic [  KeyW-1:0] keys_i,  // Constant until the next start.
  input  logic [  KeyW-1:0] first_seen_i,  // Keys that row 0 sees; row i up to i more.
  input  logic              step_i,
  output logic              last_o,  // The beat is its row's last,
  output logic [BytesW-1:0] last_keys_o,  // which has so many keys.
  output logic [ Lanes-1:0] seen_o,
  output logic              buffer_o,
  output logic [ AddrW-1:0] address_o
);

  logic [KeyW-1:0] left_q, seen_left_q, row_seen_q, next_row_seen;
  logic buffer_q;
  logic [AddrW-1:0] address_q;

  assign last_o = left_q <= KeyW'(Lanes);
  assign last_keys_o = BytesW'(left_q);
  assign buffer_o = buffer_q;
  assign address_o = address_q;
  assign next_row_seen = (row_seen_q == keys_i) ? keys_i : row_seen_q + 1'b1;
  always_comb begin
    for (int unsigned lane = 0; lane < Lanes; lane++) seen_o[lane] = KeyW'(lane) < seen_left_q;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q <= '0;
      seen_left_q <= '0;
      row_seen_q <= '0;
      buffer_q <= 1'b0;
      address_q <= '0;
    end else if (start_i) begin
      left_q <= keys_i;
      seen_left_q <= first_seen_i;
      row_seen_q <= first_seen_i;
      buffer_q <= 1'b0;
      address_q <= '0;
    end else if (step_i) begin
      if (last_o) begin
        left_q <= keys_i;
        seen_left_q <= next_row_seen;
        row_seen_q <= next_row_seen;
        buffer_q <= !buffer_q;
        address_q <= buffer_q ? '0 : AddrW'(Beats);
      end else begin
        left_q <= left_q - KeyW'(Lanes);
        seen_left_q <= (seen_left_q <= KeyW'(Lanes)) ? '0 : seen_left_q - KeyW'(Lanes);
        address_q <= address_q + 1'b1;
      end
    end
  end

endmodule
