use std::time::Instant;
use tch::*;
use yolo_cam::*;
fn main(){
 let model=Model::load("weights/yolov5s.torchscript",Device::Cpu).unwrap();
 let x=Tensor::rand([1,3,640,480],(Kind::Float,Device::Cpu));
 for (h,l) in [(0,"17"),(1,"20"),(2,"23"),(2,"9")] {
  let li=model.find_layer(l).unwrap();
  let f=model.forward(&x,&[li]).unwrap();
  let n=20;
  let (mut a,mut b,mut c,mut d)=(0.,0.,0.,0.);
  for i in 0..n { 
   let t=Instant::now();
   let ix=|v:i64|Some(Tensor::from(v));
   let s=f.heads[h].f_index(&[ix(0),ix(50),ix(3),ix(4)]).unwrap();
   a+=t.elapsed().as_secs_f64(); let t=Instant::now();
   let g=Tensor::f_run_backward(&[&s],&[&f.taps[0]],true,false).unwrap().remove(0);
   b+=t.elapsed().as_secs_f64(); let t=Instant::now();
   let v=Vec::<f32>::try_from(g.contiguous().view(-1)).unwrap();
   c+=t.elapsed().as_secs_f64(); let t=Instant::now();
   let m=Heatmap::new(ndarray::Array2::from_shape_fn((20,15),|(y,x)|(y*x) as f32));
   std::hint::black_box(m.normalized(geometry::Size{width:480,height:640}).unwrap()); std::hint::black_box((v,i));
   d+=t.elapsed().as_secs_f64();
  }
  println!("{l}: index {:.2} backward {:.2} copy {:.2} normalized {:.2} ms; head contiguous cl {:?} {:?}",a/n as f64*1e3,b/n as f64*1e3,c/n as f64*1e3,d/n as f64*1e3, f.heads[h].stride(), f.heads[h].size());
 }
}
