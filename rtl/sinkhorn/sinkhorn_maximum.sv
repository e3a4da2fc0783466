// The largest of Count signed numbers: a tree of compares, combinational. It
// does not say which one it is.
module sinkhorn_maximum #(
  parameter int unsigned Count = 4,
  parameter int unsigned Width = 16
) (
  input  logic        [Count*Width-1:0] data_i,
  output logic signed [      Width-1:0] largest_o
);

  // Node k has the larger of nodes 2k + 1 and 2k + 2; the last Leaves are leaves.
  localparam int unsigned Leaves = 2 ** $clog2(Count);
  for (genvar k = 0; k < 2 * Leaves - 1; k++) begin : gen_node
    logic signed [Width-1:0] value;
    if (k >= Leaves - 1 + Count) begin : gen_none
      assign value = {1'b1, {(Width - 1) {1'b0}}};
    end else if (k >= Leaves - 1) begin : gen_leaf
      assign value = data_i[(k-Leaves+1)*Width+:Width];
    end
  end
  for (genvar k = 0; k < Leaves - 1; k++) begin : gen_larger
    assign gen_node[k].value =
        (gen_node[2*k+1].value > gen_node[2*k+2].value) ? gen_node[2*k+1].value :
            gen_node[2*k+2].value;
  end
  assign largest_o = gen_node[0].value;

endmodule
