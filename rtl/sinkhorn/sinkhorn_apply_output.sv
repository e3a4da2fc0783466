// The output of an apply: slots in the order of their launch, K and outs in a
// memory each until their slot has its turn. A slot launched in cycle c is offered
// from c + Latency on; its data must be written by c + Latency - 2. It refuses
// nothing: whoever launches has a credit of the Depth that there are, and who
// launches a slot for an out later than the row's end launches no other before.
module sinkhorn_apply_output #(
  parameter int unsigned KernelW = 128,
  parameter int unsigned OutW    = 64,
  parameter int unsigned DataW   = (KernelW > OutW) ? KernelW : OutW,
  parameter int unsigned BytesW  = $clog2(DataW / 8 + 1),
  parameter int unsigned Latency = 16,
  parameter int unsigned Depth   = Latency + 1
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               launch_i,
  input  logic               launch_out_i,  // Of an out, not of K.
  input  logic [ BytesW-1:0] launch_bytes_i,
  input  logic               kernel_write_i,
  input  logic [KernelW-1:0] kernel_i,
  input  logic               out_write_i,
  input  logic [   OutW-1:0] out_i,
  output logic               valid_o,
  input  logic               ready_i,
  output logic [  DataW-1:0] data_o,
  output logic [ BytesW-1:0] bytes_o
);

  localparam int unsigned AddrW = $clog2(Depth);
  localparam int unsigned CountW = $clog2(Depth + 1);

  function automatic logic [AddrW-1:0] next(input logic [AddrW-1:0] address);
    next = (address == AddrW'(Depth - 1)) ? '0 : address + 1'b1;
  endfunction

  // ------------------------------------------------ slots

  logic [BytesW:0] slots_q[Depth];
  logic [AddrW-1:0] launch_q, turn_q;
  logic [Latency-3:0] flight_q;
  logic ripe;
  logic [CountW-1:0] ripe_q;  // Slots whose data are there.
  logic fetch, fetch_out, out_q;

  assign ripe = flight_q[Latency-3];
  assign fetch = (ripe_q != '0) && (!valid_o || ready_i);
  assign fetch_out = slots_q[turn_q][BytesW];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      launch_q <= '0;
      turn_q <= '0;
      flight_q <= '0;
      ripe_q <= '0;
      valid_o <= 1'b0;
    end else begin
      if (launch_i) launch_q <= next(launch_q);
      if (fetch) turn_q <= next(turn_q);
      flight_q <= {flight_q[Latency-4:0], launch_i};
      ripe_q <= ripe_q + CountW'(ripe) - CountW'(fetch);
      valid_o <= fetch || (valid_o && !ready_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (launch_i) slots_q[launch_q] <= {launch_out_i, launch_bytes_i};
    if (fetch) {out_q, bytes_o} <= slots_q[turn_q];
  end

  // ------------------------------------------------ data

  logic [AddrW-1:0] kernel_write_q, kernel_read_q, out_write_q, out_read_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      kernel_write_q <= '0;
      kernel_read_q <= '0;
      out_write_q <= '0;
      out_read_q <= '0;
    end else begin
      if (kernel_write_i) kernel_write_q <= next(kernel_write_q);
      if (fetch && !fetch_out) kernel_read_q <= next(kernel_read_q);
      if (out_write_i) out_write_q <= next(out_write_q);
      if (fetch && fetch_out) out_read_q <= next(out_read_q);
    end
  end

  logic [KernelW-1:0] kernel;
  logic [OutW-1:0] out;
  prim_sram #(
    .Width(KernelW),
    .Depth(Depth)
  ) u_kernel (
    .clk_i,
    .write_i     (kernel_write_i),
    .write_addr_i(kernel_write_q),
    .write_data_i(kernel_i),
    .read_i      (fetch && !fetch_out),
    .read_addr_i (kernel_read_q),
    .read_data_o (kernel)
  );
  prim_sram #(
    .Width(OutW),
    .Depth(Depth)
  ) u_out (
    .clk_i,
    .write_i     (out_write_i),
    .write_addr_i(out_write_q),
    .write_data_i(out_i),
    .read_i      (fetch && fetch_out),
    .read_addr_i (out_read_q),
    .read_data_o (out)
  );

  assign data_o = out_q ? DataW'(out) : DataW'(kernel);

`ifndef SYNTHESIS
  logic [CountW-1:0] slots, kernels, outs;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      slots <= '0;
      kernels <= '0;
      outs <= '0;
    end else begin
      slots <= slots + CountW'(launch_i) - CountW'(fetch);
      kernels <= kernels + CountW'(kernel_write_i) - CountW'(fetch && !fetch_out);
      outs <= outs + CountW'(out_write_i) - CountW'(fetch && fetch_out);
    end
  end
  SlotsFit: assert property (@(posedge clk_i) disable iff (!rst_ni)
      launch_i |-> slots != CountW'(Depth));
  KernelsFit: assert property (@(posedge clk_i) disable iff (!rst_ni)
      kernel_write_i |-> kernels != CountW'(Depth));
  OutsFit: assert property (@(posedge clk_i) disable iff (!rst_ni)
      out_write_i |-> outs != CountW'(Depth));
  DataAreThere: assert property (@(posedge clk_i) disable iff (!rst_ni)
      fetch |-> (fetch_out ? outs : kernels) != '0);
`endif

endmodule
