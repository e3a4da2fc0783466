// Sum of a row's codes. Codes taken in cycle c are in the sum in c + 2: sums of
// eight lanes, then all of them and the sum so far. Never stalls; a row's sum
// holds until the first codes of the next.
module softmax_sum #(
  parameter int unsigned Lanes = 4,
  parameter int unsigned SumW  = 18
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               valid_i,
  input  logic               end_i,  // The row's last codes were taken two cycles ago.
  input  logic [Lanes*8-1:0] codes_i,
  output logic [   SumW-1:0] sum_o
);

  localparam int unsigned Groups = (Lanes + 7) / 8;

  logic [Groups*11-1:0] groups, groups_q;
  logic [Groups*64-1:0] codes;
  always_comb begin
    codes = '0;
    codes[Lanes*8-1:0] = codes_i;
    for (int unsigned g = 0; g < Groups; g++) begin
      groups[g*11+:11] = 11'(codes[g*64+:8]) + 11'(codes[g*64+8+:8]) +
                         11'(codes[g*64+16+:8]) + 11'(codes[g*64+24+:8]) +
                         11'(codes[g*64+32+:8]) + 11'(codes[g*64+40+:8]) +
                         11'(codes[g*64+48+:8]) + 11'(codes[g*64+56+:8]);
    end
  end

  logic valid_q, fresh_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      fresh_q <= 1'b1;
    end else begin
      valid_q <= valid_i;
      if (valid_q) fresh_q <= 1'b0;
      else if (end_i) fresh_q <= 1'b1;
    end
  end
  logic [SumW-1:0] sum_d;
  always_comb begin
    sum_d = fresh_q ? '0 : sum_o;
    for (int unsigned g = 0; g < Groups; g++) sum_d = sum_d + SumW'(groups_q[g*11+:11]);
  end
  always_ff @(posedge clk_i) begin
    if (valid_i) groups_q <= groups;
    if (valid_q) sum_o <= sum_d;
  end

endmodule
