// Part of a tree of comparisons: of every 2^Levels neighbouring scores the
// largest, in the same cycle. It masks nothing and has no registers: three of
// them make the tree of `softmax_maximum`.
module softmax_larger #(
  parameter int unsigned Levels  = 1,
  parameter int unsigned Outputs = 2
) (
  input  logic [(Outputs << Levels)*32-1:0] scores_i,
  output logic [            Outputs*32-1:0] scores_o
);

  for (genvar level = 0; level <= Levels; level++) begin : gen_level
    logic [(Outputs << (Levels - level))*32-1:0] nodes;
    if (level == 0) begin : gen_leaves
      assign nodes = scores_i;
    end else begin : gen_larger
      always_comb begin
        for (int unsigned i = 0; i < (Outputs << (Levels - level)); i++) begin
          nodes[i*32+:32] = ($signed(gen_level[level-1].nodes[2*i*32+:32]) >
                             $signed(gen_level[level-1].nodes[(2*i+1)*32+:32])) ?
                            gen_level[level-1].nodes[2*i*32+:32] :
                            gen_level[level-1].nodes[(2*i+1)*32+:32];
        end
      end
    end
  end
  assign scores_o = gen_level[Levels].nodes;

endmodule
