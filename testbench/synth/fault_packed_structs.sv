// yosys 0.23 mishandles arrays of packed structs without an error.
module fault_packed_structs (input logic clk_i, input logic [7:0] a_i, output logic [7:0] b_o);
  typedef struct packed {
    logic [3:0] high;
    logic [3:0] low;
  } pair_t;
  pair_t pairs_q[2];
  always_ff @(posedge clk_i) begin
    pairs_q[0].high <= a_i[7:4];
    pairs_q[0].low <= a_i[3:0];
    pairs_q[1] <= pairs_q[0];
  end
  assign b_o = {pairs_q[1].low, pairs_q[1].high};
endmodule
