// Which rows of V the window of the relative positions holds, and what a row or
// a query in stage 12 does to it: tap r has the row of offset r - k. Rows that are
// streamed before the first query are put where it needs them; then the window
// moves by a tap with every query. It holds no row.
module linear_window #(
  parameter int unsigned Taps = 7,
  parameter int unsigned RowW = 4
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            clear_i,
  input  logic            causal_i,
  input  logic [     5:0] offsets_i,  // k + 1
  input  logic            direct_i,   // A row before the first query, ...
  input  logic [RowW-1:0] row_i,      // ... the row_i-th.
  input  logic            shift_i,
  input  logic            enters_i,
  output logic [  Taps:1] load_o,
  output logic [  Taps:1] entry_o,
  output logic            leave_o,
  output logic [  Taps:1] valid_o     // In stage 13.
);

  localparam int unsigned TapW = 7;

  logic [TapW-1:0] entry_tap, load_tap;
  logic [Taps:1] valid_q;
  assign entry_tap = causal_i ? TapW'(offsets_i) - 7'd1 : {offsets_i, 1'b0} - 7'd3;
  assign load_tap = TapW'(offsets_i) - 7'd1 + TapW'(row_i);

  always_comb begin
    for (int unsigned r = 1; r <= Taps; r++) begin
      load_o[r] = direct_i && load_tap == TapW'(r);
      entry_o[r] = entry_tap == TapW'(r);
    end
  end
  assign leave_o = shift_i && ((entry_o == '0) ? enters_i : valid_q[1]);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else if (clear_i) valid_q <= '0;
    else if (shift_i) begin
      valid_q <= (valid_q >> 1) & ~entry_o | (enters_i ? entry_o : '0);
    end else begin
      valid_q <= valid_q | load_o;
    end
  end
  assign valid_o = valid_q;

endmodule
