// Output FIFO: entries in an SRAM, the head in its output register. An entry
// pushed in cycle c is offered from c + 2 on, one entry per cycle. It does not
// refuse a push: whoever pushes has reserved a place before (credits).
module prim_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o
);

  localparam int unsigned AddrW = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned CountW = $clog2(Depth + 1);

  logic [AddrW-1:0] write_q, read_q;
  logic [CountW-1:0] stored_q;
  logic valid_q;
  logic fetch;

  // The head leaves the SRAM when the output register is, or becomes, empty.
  assign fetch = (stored_q != '0) && (!valid_q || ready_i);
  assign valid_o = valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q <= '0;
      stored_q <= '0;
      valid_q <= 1'b0;
    end else begin
      if (push_i) write_q <= (write_q == AddrW'(Depth - 1)) ? '0 : write_q + 1'b1;
      if (fetch) read_q <= (read_q == AddrW'(Depth - 1)) ? '0 : read_q + 1'b1;
      stored_q <= stored_q + CountW'(push_i) - CountW'(fetch);
      valid_q <= fetch || (valid_q && !ready_i);
    end
  end

  prim_sram #(
    .Width(Width),
    .Depth(Depth)
  ) u_entries (
    .clk_i,
    .write_i     (push_i),
    .write_addr_i(write_q),
    .write_data_i(data_i),
    .read_i      (fetch),
    .read_addr_i (read_q),
    .read_data_o (data_o)
  );

`ifndef SYNTHESIS
  FifoNoOverflow: assert property (@(posedge clk_i) disable iff (!rst_ni)
      push_i |-> stored_q != CountW'(Depth));
`endif

endmodule
