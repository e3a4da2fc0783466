// Rotates a word of lanes: lane k gives element (k + amount) mod Lanes. A
// logarithmic shifter of two-way multiplexers, combinational. Amounts of Lanes
// and more are not for it.
module sinkhorn_rotate #(
  parameter int unsigned Lanes   = 4,
  parameter int unsigned Width   = 16,
  parameter int unsigned AmountW = $clog2(Lanes)
) (
  input  logic [Lanes*Width-1:0] data_i,
  input  logic [    AmountW-1:0] amount_i,
  output logic [Lanes*Width-1:0] data_o
);

  for (genvar k = 0; k < AmountW; k++) begin : gen_stage
    localparam int unsigned Bits = Width * 2 ** k;
    logic [Lanes*Width-1:0] from, to;
    if (k == 0) begin : gen_first
      assign from = data_i;
    end else begin : gen_next
      assign from = gen_stage[k-1].to;
    end
    assign to = amount_i[k] ? {from[Bits-1:0], from[Lanes*Width-1:Bits]} : from;
  end
  assign data_o = gen_stage[AmountW-1].to;

endmodule
