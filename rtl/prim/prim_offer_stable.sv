// Assertion on one ready/valid stream: what is offered and not taken stays as it
// is. It has no outputs; synthesis sees nothing of it.
`ifndef SYNTHESIS
module prim_offer_stable #(
  parameter int unsigned Width = 8
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             valid_i,
  input logic             ready_i,
  input logic [Width-1:0] data_i
);

  // Compared outside of the property: Verilator 5.006 does not compile a
  // sampled copy of wide data.
  logic [Width-1:0] before_q;
  logic waits_q, broken;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) waits_q <= 1'b0;
    else waits_q <= valid_i && !ready_i;
  end
  always_ff @(posedge clk_i) before_q <= data_i;
  assign broken = waits_q && !(valid_i && data_i == before_q);

  OfferStable: assert property (@(posedge clk_i) disable iff (!rst_ni) !broken);

endmodule
`endif
