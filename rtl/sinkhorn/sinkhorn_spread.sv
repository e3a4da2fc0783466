// Gives every lane the element of its segment's first lane: lane k that of lane
// k - place(k), where place counts up within a segment. Stages of two-way
// multiplexers, combinational.
module sinkhorn_spread #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned Width  = 32,
  parameter int unsigned PlaceW = $clog2(Lanes)
) (
  input  logic [Lanes*PlaceW-1:0] place_i,
  input  logic [ Lanes*Width-1:0] data_i,
  output logic [ Lanes*Width-1:0] data_o
);

  for (genvar k = 0; k < PlaceW; k++) begin : gen_stage
    localparam int unsigned Bits = Width * 2 ** k;
    logic [Lanes*Width-1:0] from, to, far;
    if (k == 0) begin : gen_first
      assign from = data_i;
    end else begin : gen_next
      assign from = gen_stage[k-1].to;
    end
    for (genvar lane = 0; lane < Lanes; lane++) begin : gen_far
      assign far[lane*Width+:Width] = {Width{place_i[lane*PlaceW+k]}};
    end
    assign to = (from & ~far) | ({from[Lanes*Width-Bits-1:0], {Bits{1'b0}}} & far);
  end
  assign data_o = gen_stage[PlaceW-1].to;

endmodule
