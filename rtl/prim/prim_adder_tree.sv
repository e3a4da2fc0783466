// Sum of Lanes signed numbers, a register after every second level and after
// the last: ceil(ceil(log2 Lanes) / 2) cycles. Never stalls; carries no valid.
module prim_adder_tree #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned InW    = 16,
  parameter int unsigned Levels = $clog2(Lanes),
  parameter int unsigned SumW   = InW + Levels
) (
  input  logic                        clk_i,
  input  logic        [Lanes*InW-1:0] terms_i,
  output logic signed [     SumW-1:0] sum_o
);

  localparam int unsigned Padded = 2 ** Levels;

  for (genvar level = 0; level <= Levels; level++) begin : gen_level
    logic [(Padded >> level)*SumW-1:0] nodes;
    if (level == 0) begin : gen_leaves
      for (genvar i = 0; i < Padded; i++) begin : gen_node
        if (i < Lanes) begin : gen_term
          assign nodes[i*SumW+:SumW] = SumW'($signed(terms_i[i*InW+:InW]));
        end else begin : gen_padding
          assign nodes[i*SumW+:SumW] = '0;
        end
      end
    end else begin : gen_sums
      logic [(Padded >> level)*SumW-1:0] sums;
      for (genvar i = 0; i < (Padded >> level); i++) begin : gen_node
        assign sums[i*SumW+:SumW] = gen_level[level-1].nodes[2*i*SumW+:SumW] +
                                    gen_level[level-1].nodes[(2*i+1)*SumW+:SumW];
      end
      if (level % 2 == 0 || level == Levels) begin : gen_register
        always_ff @(posedge clk_i) nodes <= sums;
      end else begin : gen_wire
        assign nodes = sums;
      end
    end
  end

  assign sum_o = gen_level[Levels].nodes;

endmodule
